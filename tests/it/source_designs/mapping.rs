//! `docs/source-designs.md` against what it speaks of: the policy files, the routes, the codes, the tests.

use onsale::archive::CatalogFile;
use onsale::domain::policy::Policy;

const MAPPING: &str = include_str!("../../../docs/source-designs.md");
const ROUTER: &str = include_str!("../../../src/http/router.rs");
const PROBLEMS: &str = include_str!("../../../src/http/problem.rs");

const FILES: [(&str, &str); 5] = [
    ("000", include_str!("../../../docs/source-designs/000.yaml")),
    ("001", include_str!("../../../docs/source-designs/001.yaml")),
    ("002", include_str!("../../../docs/source-designs/002.yaml")),
    ("003", include_str!("../../../docs/source-designs/003.yaml")),
    ("004", include_str!("../../../docs/source-designs/004.yaml")),
];

/// What stands between backticks, with the text before it.
fn quoted(text: &str) -> Vec<(&str, &str)> {
    let parts: Vec<_> = text.split('`').collect();
    parts.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect()
}

/// The policy that the section of a design names at its head.
fn told(design: &str) -> Policy {
    let section = MAPPING.split(&format!("\n## {design}\n")).nth(1).expect("a section for each design");
    let head = section.split("\n\n").find(|paragraph| paragraph.contains("[Policy]")).unwrap();
    assert!(head.contains(&format!("(source-designs/{design}.yaml)")), "{head}");
    let fields: Vec<_> =
        quoted(head).into_iter().map(|(_, field)| field).filter(|field| field.contains(": ")).collect();
    let concert =
        format!("{{concertId: 1, title: T, artist: A, venue: V, policy: {{{}}}}}", fields.join(", "));
    CatalogFile::parse(&format!("concerts: [{concert}]")).unwrap().concerts.remove(0).policy
}

#[test]
fn each_section_names_the_policy_of_its_file() {
    for (design, file) in FILES {
        for concert in CatalogFile::parse(file).unwrap().concerts {
            assert_eq!(concert.policy, told(design), "{design}");
        }
    }
}

#[test]
fn every_call_is_a_route() {
    // The second column is ours; the sources' own calls have no version.
    let calls = quoted(MAPPING).into_iter().filter_map(|(_, text)| text.split_once(" /v1/"));
    let mut count = 0;
    for (method, path) in calls {
        let path = path.split('?').next().unwrap_or_default();
        let parts = path.split('/').map(|part| if part.starts_with('{') { "{id}" } else { part });
        let path = format!("\"/v1/{}\"", parts.collect::<Vec<_>>().join("/"));
        let row =
            ROUTER.lines().find(|line| line.contains(&path)).unwrap_or_else(|| panic!("no route {path}"));
        let verb = method[..1].to_owned() + &method[1..].to_lowercase();
        assert!(row.contains(&format!("({verb}, ")), "{method} {path}");
        count += 1;
    }
    assert!(count > 30, "{count} calls");
}

#[test]
fn every_refusal_is_a_code_with_its_status() {
    let mut count = 0;
    for (before, code) in quoted(MAPPING) {
        let status = before.trim_end().rsplit(' ').next().unwrap_or_default();
        if !before.ends_with(' ') || !matches!(status.parse::<u16>(), Ok(400..=599)) {
            continue;
        }
        assert!(PROBLEMS.contains(&format!("\"{code}\" {status} ")), "{status} {code}");
        count += 1;
    }
    assert!(count > 20, "{count} refusals");
}

#[test]
fn every_row_says_what_answers_for_it() {
    for row in MAPPING.lines().filter(|line| line.starts_with('|')) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        assert!(
            matches!(cells[..], ["", theirs, ours, _, ""] if !theirs.is_empty() && !ours.is_empty()),
            "{row}"
        );
    }
}
