//! The `Durability` header: how safe an answer must be, and how safe it was.

use hyper::header::{HeaderName, HeaderValue};

use super::problem::{Code, Problem};
use super::request::Request;
use super::response::Response;
use super::settings::Durability;

const HEADER: HeaderName = HeaderName::from_static("durability");

impl Durability {
    fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Disk => "disk",
        }
    }
}

/// Checks that the installation gives what the request asks for; more than asked is fine.
pub(crate) fn check(request: &Request, given: Durability) -> Result<(), Problem> {
    let asked = request.header(&HEADER).map_err(|_| invalid())?;
    asked.map_or(Ok(()), |asked| judge(asked, given))
}

fn judge(asked: &str, given: Durability) -> Result<(), Problem> {
    let reachable = match asked {
        "memory" => true,
        "disk" => given >= Durability::Disk,
        "replica" | "archive" => false,
        _ => return Err(invalid()),
    };
    reachable.then_some(()).ok_or_else(|| Problem::new(Code::DurabilityUnavailable))
}

fn invalid() -> Problem {
    Problem::field("Durability", "Expected memory, disk, replica or archive.")
}

/// Says what was reached.
pub(crate) fn mark(response: &mut Response, given: Durability) {
    let value = HeaderValue::from_static(given.as_str());
    response.headers_mut().insert(HEADER, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_given_is_promised() {
        for (asked, given, code) in [
            ("memory", Durability::Disk, None),
            ("disk", Durability::Disk, None),
            ("disk", Durability::Memory, Some(Code::DurabilityUnavailable)),
            ("replica", Durability::Disk, Some(Code::DurabilityUnavailable)),
            ("archive", Durability::Disk, Some(Code::DurabilityUnavailable)),
            ("Disk", Durability::Disk, Some(Code::InvalidRequest)),
            ("", Durability::Disk, Some(Code::InvalidRequest)),
        ] {
            assert_eq!(judge(asked, given).err().map(|problem| problem.code), code, "{asked}");
        }
    }
}
