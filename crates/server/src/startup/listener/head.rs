//! What has come of the head of a request, as it came: hyper shows only one of two lengths.

/// Bytes that are looked at: longer heads are refused.
const MOST: usize = 64 * 1024;

/// The head that is on its way.
#[derive(Default)]
pub(crate) struct Head(Vec<u8>);

impl Head {
    /// More of it has come.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let room = MOST.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// It is over.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether there is a `Content-Length` in it. What follows it is not looked at.
    pub(crate) fn has_length(&self) -> bool {
        let lines = self.0.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii_end);
        let mut lines =
            lines.skip_while(|line| line.is_empty()).take_while(|line| !line.is_empty());
        lines.any(|line| {
            let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
            name.len() < line.len() && name.eq_ignore_ascii_case(b"content-length")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_found_in_the_head_alone() {
        let has_length = |pieces: &[&str]| {
            let mut head = Head::default();
            for piece in pieces {
                head.extend(piece.as_bytes());
            }
            head.has_length()
        };
        assert!(has_length(&["POST / HTTP/1.1\r\nhost: a\r\nCont", "ent-LENGTH: 3\r\n\r\n"]));
        assert!(has_length(&["\r\nPOST / HTTP/1.1\ncontent-length:3\n\n"]));
        assert!(!has_length(&["POST / HTTP/1.1\r\nhost: a\r\n\r\ncontent-length: 3\r\n"]));
        assert!(!has_length(&[
            "POST / HTTP/1.1\r\nx: content-length: 3\r\ncontent-length\r\n\r\n"
        ]));
    }
}
