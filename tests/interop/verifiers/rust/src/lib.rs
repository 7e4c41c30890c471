//! Cases in, verdicts out, both as JSON lines; see ../../README.md.

use base64::{engine::general_purpose::STANDARD, Engine};
use serde::{Deserialize, Deserializer, Serialize};
use std::io::{self, BufRead, Write};

#[derive(Deserialize)]
pub struct Case {
    pub id: String,
    #[serde(deserialize_with = "ders")]
    pub chain: Vec<Vec<u8>>,
    #[serde(deserialize_with = "ders")]
    pub roots: Vec<Vec<u8>>,
    pub at: i64,
    pub purpose: String,
    #[serde(default)]
    pub dns: String,
    #[serde(default)]
    pub ip: String,
}

#[derive(Serialize)]
struct Verdict {
    id: String,
    accepted: bool,
    reason: String,
}

fn ders<'de, D: Deserializer<'de>>(input: D) -> Result<Vec<Vec<u8>>, D::Error> {
    let texts = Vec::<String>::deserialize(input)?;
    texts
        .iter()
        .map(|text| STANDARD.decode(text).map_err(serde::de::Error::custom))
        .collect()
}

/// The purposes to ask about: any is server or client, since both verifiers want one.
pub fn purposes(case: &Case) -> Vec<&str> {
    match case.purpose.as_str() {
        "any" => vec!["server", "client"],
        one => vec![one],
    }
}

/// Answers every case of standard input by `judge`.
pub fn answer_all(judge: impl Fn(&Case) -> Result<(), String>) {
    let mut output = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let case: Case = serde_json::from_str(&line.expect("a line")).expect("a case");
        let result = judge(&case);
        let verdict = Verdict {
            id: case.id,
            accepted: result.is_ok(),
            reason: result.err().unwrap_or_default(),
        };
        let text = serde_json::to_string(&verdict).expect("JSON");
        writeln!(output, "{text}").expect("standard output");
    }
}
