//! The PROXY protocol, versions 1 and 2: a load balancer says, before the first byte of a connection,
//! whose it is (HAProxy, `doc/proxy-protocol.txt`). What does not follow it ends the connection.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// What version 2 begins with (§2.2).
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a line of version 1 at most (§2.1).
const LINE: usize = 107;
/// Bytes behind the first sixteen of version 2 at most; what is asked for in practice is far less.
const REST: usize = 4_096;

/// Reads the header of a connection and nothing behind it: whose connection it is. `None` if it is
/// the load balancer's own, or it does not know.
///
/// # Errors
/// [`io::Error`] if there is no such header.
pub(super) async fn read(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let mut start = [0; SIGNATURE.len()];
    connection.read_exact(&mut start).await?;
    if start == *SIGNATURE {
        return binary(connection).await;
    }
    let mut line = start.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() >= LINE {
            return Err(bad());
        }
        // Nothing behind the line may be taken.
        line.push(connection.read_u8().await?);
    }
    text(&line[..line.len() - 2])
}

fn bad() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "the connection does not begin by the PROXY protocol",
    )
}

/// Version 1, without the end of its line.
fn text(line: &[u8]) -> io::Result<Option<IpAddr>> {
    let line = std::str::from_utf8(line).map_err(|_| bad())?;
    let words: Vec<_> = line.split(' ').collect();
    let address = match *words {
        // Whatever follows is to be ignored.
        ["PROXY", "UNKNOWN", ..] => return Ok(None),
        ["PROXY", kind @ ("TCP4" | "TCP6"), source, target, source_port, target_port] => {
            let read = |address: &str| -> Option<IpAddr> {
                match kind {
                    "TCP4" => address.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
                    _ => address.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
                }
            };
            let ports = is_port(source_port) && is_port(target_port);
            read(target).and(read(source)).filter(|_| ports)
        }
        _ => None,
    };
    address.map(Some).ok_or_else(bad)
}

/// A number without zeros before it.
fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
        && text.parse::<u16>().is_ok()
        && (text == "0" || !text.starts_with('0'))
}

/// Version 2, behind its signature.
async fn binary(connection: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    const LOCAL: u8 = 0x20;
    const PROXY: u8 = 0x21;
    let [command, family, high, low] = {
        let mut head = [0; 4];
        connection.read_exact(&mut head).await?;
        head
    };
    let mut rest = vec![0; usize::from(u16::from_be_bytes([high, low]))];
    if rest.len() > REST {
        return Err(bad());
    }
    connection.read_exact(&mut rest).await?;
    let (address, extensions) = match (command, family) {
        (LOCAL, _) | (PROXY, 0x00) => return Ok(None),
        (PROXY, 0x11) => {
            let (addresses, more) = rest.split_at_checked(12).ok_or_else(bad)?;
            let source: [u8; 4] = addresses[..4].try_into().map_err(|_| bad())?;
            (IpAddr::from(source), more)
        }
        (PROXY, 0x21) => {
            let (addresses, more) = rest.split_at_checked(36).ok_or_else(bad)?;
            let source: [u8; 16] = addresses[..16].try_into().map_err(|_| bad())?;
            (IpAddr::from(source), more)
        }
        // Datagrams and sockets of one machine do not come in here.
        _ => return Err(bad()),
    };
    if are_whole(extensions) { Ok(Some(address)) } else { Err(bad()) }
}

/// Whether extensions, each of a type, a length and a value, end where the header does.
fn are_whole(mut extensions: &[u8]) -> bool {
    while let [_, high, low, rest @ ..] = extensions {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(length..) else { return false };
        extensions = next;
    }
    extensions.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `bytes` say, and how many of them are left.
    async fn said(bytes: &[u8]) -> Option<(Option<IpAddr>, usize)> {
        let mut rest = bytes;
        read(&mut rest).await.ok().map(|address| (address, rest.len()))
    }

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    #[tokio::test]
    async fn a_line_names_the_client() {
        let four: IpAddr = "192.0.2.7".parse().unwrap();
        let six: IpAddr = "2001:db8::7".parse().unwrap();
        for (line, address) in [
            ("PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n", Some(four)),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n", Some(six)),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ff:: ff:: 65535 65535\r\n", None),
        ] {
            let bytes = [line.as_bytes(), b"GET /"].concat();
            assert_eq!(said(&bytes).await, Some((address, 5)), "{line:?}");
        }
        for line in [
            "GET / HTTP/1.1\r\nhost: a\r\n\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711\r\n",
            "PROXY TCP4 192.0.2.7  192.0.2.1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443 \r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 65536\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 04711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 +4711 443\r\n",
            "PROXY TCP4 2001:db8::7 2001:db8::1 4711 443\r\n",
            "PROXY TCP4 192.0.2.07 192.0.2.1 4711 443\r\n",
            "PROXY TCP6 192.0.2.7 192.0.2.1 4711 443\r\n",
            "PROXY UDP4 192.0.2.7 192.0.2.1 4711 443\r\n",
            "proxy TCP4 192.0.2.7 192.0.2.1 4711 443\r\n",
            "PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\n",
        ] {
            assert_eq!(said(line.as_bytes()).await, None, "{line:?}");
        }
        let long = format!("PROXY UNKNOWN {}\r\n", "x".repeat(LINE));
        assert_eq!(said(long.as_bytes()).await, None);
    }

    #[tokio::test]
    async fn the_binary_form_names_the_client() {
        let four = [&[192, 0, 2, 7, 192, 0, 2, 1][..], &[0x12, 0x67, 1, 0xbb]].concat();
        let address: IpAddr = "192.0.2.7".parse().unwrap();
        let with = |more: &[u8]| [&four[..], more].concat();
        for (header, expected) in [
            (v2(0x21, 0x11, &four), Some(address)),
            (v2(0x21, 0x11, &with(&[0x04, 0, 1, 0])), Some(address)),
            (v2(0x21, 0x21, &[0; 36]), Some(Ipv6Addr::UNSPECIFIED.into())),
            (v2(0x21, 0x00, &[]), None),
            (v2(0x20, 0x00, &[]), None),
            (v2(0x20, 0x11, &four), None),
        ] {
            let bytes = [&header[..], b"GET"].concat();
            assert_eq!(said(&bytes).await, Some((expected, 3)), "{header:?}");
        }
        for header in [
            v2(0x11, 0x11, &four),
            v2(0x22, 0x11, &four),
            v2(0x21, 0x12, &four),
            v2(0x21, 0x31, &[0; 216]),
            v2(0x21, 0x11, &four[..11]),
            v2(0x21, 0x21, &four),
            v2(0x21, 0x11, &with(&[0x04, 0, 2, 0])),
            v2(0x21, 0x11, &with(&[0x04, 0])),
            v2(0x20, 0x00, &[0; REST + 1]),
            v2(0x21, 0x11, &four)[..20].to_vec(),
        ] {
            assert_eq!(said(&header).await, None, "{header:?}");
        }
    }
}
