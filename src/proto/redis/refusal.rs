//! Why a command is refused: a column of the command table, with the words of the error line and of the
//! manual page.

/// Why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It waits for data: the connection to the datastore is shared by all clients.
    Blocking,
    /// It is part of a transaction.
    Transaction,
    /// It publishes or subscribes.
    PubSub,
    /// It empties all nodes, and the operator has not allowed it.
    NotEnabled,
    /// It would harm or mislead behind a proxy.
    Unsupported,
}

impl Why {
    /// Every reason that a row of the table can give, in the order of the manual page.
    pub const OF_ROWS: [Why; 4] = [
        Why::Blocking,
        Why::Transaction,
        Why::PubSub,
        Why::Unsupported,
    ];

    /// The reason as the end of an error line that has named the command, with the way out if there is one.
    pub const fn text(self) -> &'static str {
        match self {
            Why::Blocking => "blocking commands are not supported by Dynomite",
            Why::Transaction => "transactions are not supported by Dynomite",
            Why::PubSub => "publish/subscribe is not supported by Dynomite",
            Why::NotEnabled => {
                "emptying all nodes is not enabled in Dynomite; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it"
            }
            Why::Unsupported => "not supported by Dynomite",
        }
    }

    /// The title of such commands in the manual page.
    pub const fn title(self) -> &'static str {
        match self {
            Why::Blocking => "Refused: blocking commands",
            Why::Transaction => "Refused: transactions",
            Why::PubSub => "Refused: publish and subscribe",
            Why::NotEnabled | Why::Unsupported => "Refused: useless or harmful behind a proxy",
        }
    }

    /// The text about them in the manual page.
    pub const fn note(self) -> &'static str {
        match self {
            Why::Blocking => {
                "An error says so, and the connection stays open. XREAD and XREADGROUP are served without BLOCK."
            }
            Why::Transaction => {
                "An error says so, and the connection stays open. What follows MULTI, up to EXEC or DISCARD, is not run."
            }
            Why::PubSub | Why::NotEnabled | Why::Unsupported => {
                "An error says so, and the connection stays open."
            }
        }
    }
}
