//! The conversion that each form makes, as a small tree laid over the reply.

use super::form::Form;

/// One node of a conversion.
pub(super) enum Shape {
    Plain,
    Set,
    Double,
    /// The integers 1 and 0.
    Bool,
    Verbatim,
    /// A flat array becomes a map from every third element to a pair, whose first is by the shape.
    Triples(&'static Shape),
    /// An array, each element by the shape.
    Each(&'static Shape),
    /// A flat array of names and values becomes a map; values by the shape.
    Map(&'static Shape),
    /// The same; values by the shape of their name, plain if not listed.
    Named(&'static [(&'static str, &'static Shape)]),
    /// A flat array becomes an array of pairs; every second one by the shape.
    Pairs(&'static Shape),
    /// An array whose second element is by the shape.
    Second(&'static Shape),
    /// An array whose last element is by the shape if it is an array itself.
    LastArray(&'static Shape),
    /// An array of `[key, value]` becomes a map.
    Entries,
    /// A double, or a map if it is an array.
    Gauge,
}

macro_rules! arguments {
    ($inner:expr) => {
        Shape::Each(&Shape::Named(&[
            ("flags", &Shape::Set),
            ("arguments", &$inner),
        ]))
    };
}

/// The document of a command; that of a container's subcommand holds no more subcommands.
const DOCUMENT: Shape = Shape::Named(&[
    ("doc_flags", &Shape::Set),
    ("history", &Shape::Set),
    ("arguments", &ARGUMENTS),
    ("subcommands", &Shape::Map(&SUBCOMMAND)),
]);
const SUBCOMMAND: Shape = Shape::Named(&[
    ("doc_flags", &Shape::Set),
    ("history", &Shape::Set),
    ("arguments", &ARGUMENTS),
]);
/// Arguments may be made of arguments. Redis' own are so at most four levels deep; what is deeper passes
/// as it is.
const ARGUMENTS: Shape = arguments!(arguments!(arguments!(arguments!(arguments!(Shape::Plain)))));

impl Form {
    pub(super) fn shape(self) -> &'static Shape {
        use Shape::*;
        match self {
            Form::Plain | Form::Native => &Plain,
            Form::Map => &Map(&Plain),
            Form::Maps => &Each(&Map(&Plain)),
            Form::Set => &Set,
            Form::Double => &Double,
            Form::Bool => &Bool,
            Form::Bools => &Each(&Bool),
            Form::ScoreMap => &Map(&Double),
            Form::ScoreMaps => &Each(&Map(&Double)),
            Form::ScoredAttributes => &Triples(&Double),
            Form::Doubles => &Each(&Double),
            Form::FlatScore => &Second(&Double),
            Form::ScorePairs => &Pairs(&Double),
            Form::FieldPairs => &Pairs(&Plain),
            Form::KeyScores => &Second(&Each(&Second(&Double))),
            Form::Positions => &Each(&Each(&Double)),
            Form::GeoMembers => &Each(&LastArray(&Each(&Double))),
            Form::Streams => &Entries,
            Form::StreamInfo => &Named(&[(
                "groups",
                &Each(&Named(&[("consumers", &Each(&Map(&Plain)))])),
            )]),
            Form::Functions => &Each(&Named(&[("functions", &Each(&Named(&[("flags", &Set)])))])),
            Form::FunctionStats => &Named(&[
                ("running_script", &Map(&Plain)),
                ("engines", &Map(&Map(&Plain))),
            ]),
            Form::MemoryStats => &Map(&Gauge),
            Form::Histograms => &Map(&Named(&[("histogram_usec", &Map(&Plain))])),
            Form::Docs => &Map(&DOCUMENT),
            Form::Verbatim => &Verbatim,
        }
    }
}
