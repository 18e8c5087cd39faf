//! How proposals stand, as their members are told.

use scb_protocol::message::proposal::{
    CosignerStanding, ProposalStanding, ProposalState, RefusedSignature, Said,
};
use scb_protocol::{Code, from_seconds};

use super::THREE;

/// A proposal of two, one of whom does not sign.
pub(super) fn standing() -> ProposalStanding {
    let member = |place: usize, said, reason: Option<&str>| CosignerStanding {
        sid: THREE[place].parse().unwrap(),
        said,
        at: Some(from_seconds(1_772_424_000)),
        with: vec![THREE[place].parse().unwrap()],
        reason: reason.map(|text| text.parse().unwrap()),
        refused: None,
    };
    ProposalStanding {
        submission: "0b".repeat(16).parse().unwrap(),
        state: ProposalState::Declined,
        proposed_at: from_seconds(1_772_420_000),
        until: from_seconds(1_773_000_000),
        files_at: None,
        number: None,
        members: vec![
            member(0, Said::Signed, None),
            member(1, Said::Declined, Some("page 3 is not mine")),
        ],
    }
}

/// The other one has tried, and was refused.
pub(super) fn refused(mut standing: ProposalStanding) -> ProposalStanding {
    standing.state = ProposalState::Waiting;
    standing.members[1] = CosignerStanding {
        sid: THREE[1].parse().unwrap(),
        said: Said::Nothing,
        at: None,
        with: Vec::new(),
        reason: None,
        refused: Some(RefusedSignature {
            at: from_seconds(1_772_424_000),
            code: Code::OtherGroup,
        }),
    };
    standing
}
