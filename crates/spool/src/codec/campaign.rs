//! `Campaign` and `Member` as octets. Ids, rows and counts are columns of the table and are
//! not repeated.

use repute_types::{AccountName, Address, MessageId, Timestamp};

use super::records::{read_address, write_address};
use super::{Bad, Read, Reader, Writer};
use crate::campaign::{Campaign, CampaignState, Tally};

const CAMPAIGN_V1: u8 = 1;
/// A campaign's: what it belongs to stands with the campaign.
const MEMBER_V1: u8 = 1;
/// Of a message by itself: with its account and its list.
const MEMBER_V2: u8 = 2;

pub(crate) fn campaign_to_octets(campaign: &Campaign, buffer: &mut Vec<u8>) {
    let mut w = Writer::start(buffer, CAMPAIGN_V1);
    w.text(&campaign.name);
    w.text(&campaign.account);
    w.text(&campaign.list);
    match &campaign.state {
        CampaignState::Loading => w.octet(0),
        CampaignState::Running => w.octet(1),
        CampaignState::Paused(reason) => {
            w.octet(2);
            w.text(reason);
        }
        CampaignState::Cancelled => w.octet(3),
        CampaignState::Cancelling => w.octet(4),
    }
    w.int(campaign.begun.0);
    w.option(campaign.launched, |w, at| w.int(at.0));
    w.seal();
}

pub(crate) fn campaign_from_octets(id: MessageId, rows: u32, tally: Tally, octets: &[u8]) -> Read<Campaign> {
    let (version, mut r) = Reader::open(octets)?;
    if version != CAMPAIGN_V1 {
        return Err(Bad);
    }
    let campaign = Campaign {
        id,
        name: r.text()?.to_owned(),
        account: r.text()?.into(),
        list: r.text()?.to_owned(),
        state: match r.octet()? {
            0 => CampaignState::Loading,
            1 => CampaignState::Running,
            2 => CampaignState::Paused(r.text()?.to_owned()),
            3 => CampaignState::Cancelled,
            4 => CampaignState::Cancelling,
            _ => return Err(Bad),
        },
        begun: Timestamp(r.int()?),
        launched: r.option(|r| r.int().map(Timestamp))?,
        rows,
        tally,
    };
    r.end()?;
    Ok(campaign)
}

/// `of` is the account and the list of a message that is no campaign's.
pub(crate) fn member_to_octets<'a>(
    recipients: impl ExactSizeIterator<Item = &'a Address>,
    of: Option<(Option<&str>, Option<&str>)>,
    buffer: &mut Vec<u8>,
) {
    let mut w = Writer::start(buffer, if of.is_some() { MEMBER_V2 } else { MEMBER_V1 });
    if let Some((account, list)) = of {
        w.option(account, Writer::text);
        w.option(list, Writer::text);
    }
    w.uint(recipients.len() as u64);
    recipients.for_each(|address| write_address(&mut w, address));
    w.seal();
}

/// The recipients, and the account and list where they stand here.
pub(crate) type MemberRecord = (Vec<Address>, Option<(Option<AccountName>, Option<String>)>);

pub(crate) fn member_from_octets(octets: &[u8]) -> Read<MemberRecord> {
    let (version, mut r) = Reader::open(octets)?;
    let of = match version {
        MEMBER_V1 => None,
        MEMBER_V2 => Some((r.option(Reader::text)?.map(Into::into), r.option(Reader::text)?.map(str::to_owned))),
        _ => return Err(Bad),
    };
    let recipients = (0..r.count()?).map(|_| read_address(&mut r)).collect::<Read<_>>()?;
    r.end()?;
    Ok((recipients, of))
}
