//! `Outcome` as octets: what the last attempt said about a recipient.

use std::net::IpAddr;

use repute_types::{Culprit, EnhancedCode, Outcome, Peer, Reply, Stage, TlsAsked, TlsUsed, Verdict};

use super::{Bad, Read, Reader, Writer};

/// The position in these tables is what is stored: append, never reorder.
const VERDICTS: [Verdict; 3] = [Verdict::Delivered, Verdict::Deferred, Verdict::Failed];
const CULPRITS: [Culprit; 4] = [Culprit::Receiver, Culprit::Network, Culprit::Dns, Culprit::Us];
/// Stored above the bit that says whether the certificate was verified.
const ASKED: [TlsAsked; 5] =
    [TlsAsked::Opportunistic, TlsAsked::Route, TlsAsked::RequireTls, TlsAsked::Dane, TlsAsked::MtaSts];
const STAGES: [Stage; 11] = [
    Stage::Queue,
    Stage::Route,
    Stage::Connect,
    Stage::Greeting,
    Stage::Ehlo,
    Stage::StartTls,
    Stage::Auth,
    Stage::Mail,
    Stage::Rcpt,
    Stage::Data,
    Stage::Body,
];

pub(super) fn write_outcome(w: &mut Writer<'_>, outcome: &Outcome) {
    w.octet(place(&VERDICTS, outcome.verdict));
    w.octet(place(&STAGES, outcome.stage));
    w.octet(place(&CULPRITS, outcome.culprit));
    write_code(w, outcome.status);
    w.option(outcome.reply.as_ref(), |w, reply| {
        w.uint(u64::from(reply.code));
        w.option(reply.enhanced, write_code);
        w.uint(reply.lines.len() as u64);
        reply.lines.iter().for_each(|line| w.text(line));
    });
    w.text(&outcome.text);
    w.option(outcome.peer.as_ref(), write_peer);
    w.option(outcome.tls.as_ref(), |w, tls| {
        w.text(&tls.version);
        w.text(&tls.cipher);
        w.octet(u8::from(tls.verified) | place(&ASKED, tls.asked) << 1);
    });
}

pub(super) fn read_outcome(r: &mut Reader<'_>) -> Read<Outcome> {
    Ok(Outcome {
        verdict: *VERDICTS.get(usize::from(r.octet()?)).ok_or(Bad)?,
        stage: *STAGES.get(usize::from(r.octet()?)).ok_or(Bad)?,
        culprit: *CULPRITS.get(usize::from(r.octet()?)).ok_or(Bad)?,
        status: read_code(r)?,
        reply: r.option(read_reply)?,
        text: r.text()?.to_owned(),
        peer: r.option(read_peer)?,
        tls: r.option(|r| {
            let (version, cipher) = (r.text()?.to_owned(), r.text()?.to_owned());
            let last = r.octet()?;
            let asked = *ASKED.get(usize::from(last >> 1)).ok_or(Bad)?;
            Ok(TlsUsed { version, cipher, verified: last & 1 == 1, asked })
        })?,
    })
}

fn place<T: PartialEq>(table: &[T], value: T) -> u8 {
    let place = table.iter().position(|entry| *entry == value);
    // A test writes every variant; a variant without a place cannot pass it.
    place.expect("every variant stands in its table") as u8
}

fn write_code(w: &mut Writer<'_>, code: EnhancedCode) {
    w.octet(code.0);
    w.uint(u64::from(code.1));
    w.uint(u64::from(code.2));
}

fn read_code(r: &mut Reader<'_>) -> Read<EnhancedCode> {
    Ok(EnhancedCode(r.octet()?, read_u16(r)?, read_u16(r)?))
}

fn read_reply(r: &mut Reader<'_>) -> Read<Reply> {
    let code = read_u16(r)?;
    let enhanced = r.option(read_code)?;
    let count = r.count()?;
    let lines = (0..count).map(|_| r.text().map(str::to_owned)).collect::<Read<Vec<_>>>()?;
    Ok(Reply { code, enhanced, lines })
}

fn write_peer(w: &mut Writer<'_>, peer: &Peer) {
    w.text(&peer.name);
    match peer.address {
        None => w.octet(0),
        Some(IpAddr::V4(ip)) => {
            w.octet(4);
            w.0.extend_from_slice(&ip.octets());
        }
        Some(IpAddr::V6(ip)) => {
            w.octet(6);
            w.0.extend_from_slice(&ip.octets());
        }
    }
    w.uint(u64::from(peer.port));
}

fn read_peer(r: &mut Reader<'_>) -> Read<Peer> {
    let name = r.text()?.to_owned();
    let address = match r.octet()? {
        0 => None,
        4 => Some(IpAddr::from(read_octets::<4>(r)?)),
        6 => Some(IpAddr::from(read_octets::<16>(r)?)),
        _ => return Err(Bad),
    };
    Ok(Peer { name, address, port: read_u16(r)? })
}

fn read_octets<const N: usize>(r: &mut Reader<'_>) -> Read<[u8; N]> {
    let (octets, rest) = r.0.split_first_chunk::<N>().ok_or(Bad)?;
    r.0 = rest;
    Ok(*octets)
}

fn read_u16(r: &mut Reader<'_>) -> Read<u16> {
    u16::try_from(r.uint()?).map_err(|_| Bad)
}
