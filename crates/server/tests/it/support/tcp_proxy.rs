//! A line to a server that can be cut and mended.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tokio::net::{TcpListener, TcpStream};

/// Forwards what comes to [`Cut::address`], as long as it is whole.
pub struct Cut {
    address: String,
    whole: Arc<AtomicBool>,
}

impl Cut {
    /// A line to `server`, such as `127.0.0.1:5432`.
    pub async fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let whole = Arc::new(AtomicBool::new(true));
        let (server, is_whole) = (server.to_owned(), Arc::clone(&whole));
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if is_whole.load(Ordering::SeqCst) {
                    tokio::spawn(forward(near, server.clone(), Arc::clone(&is_whole)));
                }
            }
        });
        Self { address, whole }
    }

    pub fn address(&self) -> String {
        self.address.clone()
    }

    /// Ends every connection and takes no more.
    pub fn cut(&self) {
        self.whole.store(false, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.whole.store(true, Ordering::SeqCst);
    }
}

async fn forward(mut near: TcpStream, server: String, whole: Arc<AtomicBool>) {
    let Ok(mut far) = TcpStream::connect(server).await else { return };
    let cut = async {
        while whole.load(Ordering::SeqCst) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        () = cut => {}
    }
}
