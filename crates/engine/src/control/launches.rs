//! Launches that the history does not have: it may lose its last moments in a crash, and forgets in time. The spool knows of a
//! campaign who sent it, and when.

use repute_ledger::{Step, StepKind};
use repute_types::MessageId;

use super::{Control, ControlError};

impl Control {
    /// Puts the acceptance of a campaign before its steps, where it is missing there. The steps are by message.
    pub(super) async fn remember_launches(&self, steps: &mut Vec<Step>) -> Result<(), ControlError> {
        let is_missing =
            |of: &[Step]| !of.iter().any(|step| matches!(step.kind, StepKind::Accepted { .. })) && self.is_campaign(of);
        if !steps.chunk_by(|a, b| a.message == b.message).any(is_missing) {
            return Ok(());
        }
        let campaigns = self.works.doors.spool.campaigns().await.map_err(ControlError::Spool)?;
        let mut all = Vec::with_capacity(steps.len() + 1);
        for of in steps.chunk_by(|a, b| a.message == b.message) {
            let about = campaigns.iter().find(|campaign| Some(campaign.id) == of[0].message && is_missing(of));
            all.extend(about.and_then(|campaign| {
                let kind = StepKind::Accepted {
                    account: Some(campaign.account.to_string()),
                    // The letter, and who it was from, go with its last recipient.
                    from: None,
                    recipients: Vec::new(),
                    recipient_count: Some(campaign.tally.taken),
                    size: 0,
                    header_id: String::new(),
                    client: None,
                    tls: None,
                };
                Some(Step { at: campaign.launched?, message: Some(campaign.id), kind })
            }));
            all.extend_from_slice(of);
        }
        *steps = all;
        Ok(())
    }

    fn is_campaign(&self, of: &[Step]) -> bool {
        let known = |id: MessageId| self.works.bulk.known(id);
        of.first().and_then(|step| step.message).and_then(known).is_some()
    }
}
