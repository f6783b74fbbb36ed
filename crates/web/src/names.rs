//! What other services call the members of a message: a fault is told at the member that their client wrote.

use crate::problem::FieldFault;

/// Their names for members of ours, each with what stands between it and what follows.
pub(crate) struct Names {
    /// Ours, and theirs.
    pub members: &'static [(&'static str, &'static str)],
    /// Members of an attachment.
    pub files: &'static [(&'static str, &'static str)],
    /// What a place in a list is written as.
    pub places: Places,
}

pub(crate) enum Places {
    /// As a JSON Pointer has it: `/To/0`.
    Pointer,
    /// As a form of AWS has it: `Destination.ToAddresses.member.1`.
    Numbered,
}

impl Names {
    /// A fault at a member of ours, at theirs; one that is told at theirs already stays.
    pub fn fault(&self, fault: FieldFault) -> FieldFault {
        FieldFault { pointer: self.named(&fault.pointer).unwrap_or(fault.pointer), ..fault }
    }

    pub fn faults(&self, faults: Vec<FieldFault>) -> Vec<FieldFault> {
        faults.into_iter().map(|fault| self.fault(fault)).collect()
    }

    fn named(&self, pointer: &str) -> Option<String> {
        let of_member = |(ours, theirs): &(&str, &'static str)| {
            let rest = pointer.strip_prefix(ours)?;
            (rest.is_empty() || rest.starts_with('/')).then_some((*theirs, rest))
        };
        let (theirs, rest) = self.members.iter().find_map(of_member)?;
        if pointer.starts_with("/attachments/") {
            let of_file = |(ours, theirs): &(&str, &str)| Some(format!("{}{theirs}", rest.strip_suffix(ours)?));
            let rest = self.files.iter().find_map(of_file).unwrap_or_else(|| rest.to_owned());
            return Some(format!("{theirs}{rest}"));
        }
        let place = rest.strip_prefix('/').and_then(|place| place.parse::<usize>().ok());
        Some(match (&self.places, place) {
            (Places::Numbered, Some(place)) => format!("{theirs}.member.{}", place + 1),
            (Places::Numbered, None) => theirs.to_owned(),
            (Places::Pointer, _) => format!("{theirs}{rest}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_written_as_the_client_wrote_it() {
        let names = |places| Names {
            members: &[("/to", "/To"), ("/attachments", "/Files"), ("/text", "/Text")],
            files: &[("/name", "/FileName"), ("/content", "/Raw"), ("/content_id", "/Id")],
            places,
        };
        let check = |places, ours: &str, theirs: &str| {
            let fault = names(places).fault(FieldFault::new(ours, "x"));
            assert_eq!(fault, FieldFault::new(theirs, "x"));
        };
        check(Places::Pointer, "/to", "/To");
        check(Places::Pointer, "/to/7", "/To/7");
        check(Places::Numbered, "/to/7", "/To.member.8");
        check(Places::Numbered, "/text/names", "/Text");
        check(Places::Pointer, "/attachments/2/content_id", "/Files/2/Id");
        check(Places::Pointer, "/attachments/2/content", "/Files/2/Raw");
        check(Places::Pointer, "/attachments", "/Files");
        check(Places::Pointer, "/towards", "/towards");
        check(Places::Pointer, "/Content/Template", "/Content/Template");
    }
}
