//! The RESP3 form of a command's reply, and how it follows from the arguments.

use crate::proto::redis::command::Command;
use crate::proto::redis::keys::{integer, is};

/// The conversion of a command's reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Only nulls change.
    #[default]
    Plain,
    /// A flat array of names and values.
    Map,
    /// An array of such arrays.
    Maps,
    /// `SMEMBERS` and its like.
    Set,
    /// A score.
    Double,
    /// 1 or 0 for yes or no.
    Bool,
    /// An array of them.
    Bools,
    /// An array of scores.
    Doubles,
    /// `[member, score]`, or empty.
    FlatScore,
    /// Members and scores in turn become pairs.
    ScorePairs,
    /// Fields and values in turn become pairs.
    FieldPairs,
    /// Elements and scores in turn become a map.
    ScoreMap,
    /// An array of such arrays.
    ScoreMaps,
    /// Elements, scores and attributes in turn become a map to pairs.
    ScoredAttributes,
    /// `[key, [[member, score], …]]`.
    KeyScores,
    /// An array of coordinates.
    Positions,
    /// Members of a search, each with coordinates at its end if they were asked for.
    GeoMembers,
    /// An array of streams with their entries becomes a map.
    Streams,
    /// `XINFO STREAM`, with or without `FULL`.
    StreamInfo,
    /// `FUNCTION LIST`.
    Functions,
    /// `FUNCTION STATS`.
    FunctionStats,
    /// `MEMORY STATS`.
    MemoryStats,
    /// `LATENCY HISTOGRAM`.
    Histograms,
    /// `COMMAND DOCS`.
    Docs,
    /// Text for people.
    Verbatim,
    /// The reply of a script or function, whose form only the datastore knows. Of a RESP2 reply only nulls change.
    Native,
}

/// How a command's form follows from its arguments: a column of the command table.
#[derive(Clone, Copy, Debug)]
pub(in crate::proto::redis) enum FormRule {
    /// It does not.
    Is(Form),
    /// The second form from this number of arguments on, below it the first.
    Args(u8, Form, Form),
    /// The form if this word is at or behind an argument; else plain.
    Word(u8, &'static [u8], Form),
    /// The form if this word follows the keys counted by argument 1; else plain.
    Counted(&'static [u8], Form),
    /// As this function returns for the whole request.
    By(fn(&[&[u8]]) -> Form),
}

/// Of `VSIM key (ELE|FP32|VALUES) … [WITHSCORES] [WITHATTRIBS]`.
pub(in crate::proto::redis) fn vsim(args: &[&[u8]]) -> Form {
    let options = args.get(4..).unwrap_or_default();
    let has = |name: &str| options.iter().any(|word| is(word, name));
    match (has("withscores"), has("withattribs")) {
        (true, true) => Form::ScoredAttributes,
        (true, false) => Form::ScoreMap,
        (false, true) => Form::Map,
        (false, false) => Form::Plain,
    }
}

/// Of `VEMB key element [RAW]`.
pub(in crate::proto::redis) fn vemb(args: &[&[u8]]) -> Form {
    match args.len() {
        3 => Form::Doubles,
        _ => Form::Plain,
    }
}

/// The form of a request's reply. `args` is the whole request, name first.
pub fn form(command: &Command, args: &[&[u8]]) -> Form {
    let (from, word, form) = match command.form {
        FormRule::Is(form) => return form,
        FormRule::Args(count, below, form) => {
            return if args.len() >= usize::from(count) {
                form
            } else {
                below
            };
        }
        FormRule::Word(from, word, form) => (usize::from(from), word, form),
        FormRule::By(rule) => return rule(args),
        FormRule::Counted(word, form) => {
            let count = args.get(1).and_then(|text| integer(text)).unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(0);
            (count.saturating_add(2), word, form)
        }
    };
    let options = args.get(from..).unwrap_or_default();
    if options.iter().any(|arg| arg.eq_ignore_ascii_case(word)) {
        form
    } else {
        Form::Plain
    }
}

impl Command {
    /// The form of its replies if the arguments do not matter; otherwise ask [`form`].
    #[inline]
    pub fn fixed_form(&self) -> Option<Form> {
        match self.form {
            FormRule::Is(form) => Some(form),
            _ => None,
        }
    }
}
