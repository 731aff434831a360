//! The flag that says: no more work.

use tokio::sync::watch;

/// Sets the flag. It can't be taken back.
#[derive(Clone, Debug)]
pub struct Stopper(watch::Sender<bool>);

/// Knows the flag.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// A flag and the hand on it.
pub fn stop() -> (Stopper, Stop) {
    let (sender, receiver) = watch::channel(false);
    (Stopper(sender), Stop(receiver))
}

impl Stopper {
    /// Stop.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }
}

impl Stop {
    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it is set; also when nobody is left who could set it.
    pub async fn wait(&self) {
        let mut receiver = self.0.clone();
        // The error says that nobody is left.
        drop(receiver.wait_for(|is_set| *is_set).await);
    }
}
