//! Changes of texts that keep most of what they mean: whole tokens, bracketed parts and lines are moved, copied and replaced.

use std::ops::Range;

use fastrand::Rng;
use libfuzzer_sys::fuzzer_mutate;

use crate::tokens::{WORDS, line, tokens, tree};

/// Changes the first `size` bytes of `data` and gives how many there are now.
pub fn change(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Rng::with_seed(seed.into());
    if size == 0 || random.u8(..5) == 0 {
        return fuzzer_mutate(data, size, max_size);
    }
    let text = data[..size].to_vec();
    let mut list = tokens(&text);
    for _ in 0..=random.usize(..3) {
        if !list.is_empty() {
            change_once(&mut list, &mut random);
        }
    }
    write(&list, data, max_size)
}

/// Puts parts of one text into another and gives the length of what is in `out`.
pub fn cross(one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    let mut random = Rng::with_seed(seed.into());
    let (mut list, from) = (tokens(one), tokens(other));
    if !from.is_empty() {
        let part = from[some_part(&from, &mut random)].to_vec();
        let place = some_place(&list, &mut random);
        list.splice(place, part);
    }
    let limit = out.len();
    write(&list, out, limit)
}

fn change_once(list: &mut Vec<&[u8]>, random: &mut Rng) {
    let part = some_part(list, random);
    match random.u8(..9) {
        0 => {
            list.drain(part);
        }
        1 => {
            let copy = list[part].to_vec();
            let place = some_place(list, random);
            list.splice(place, copy);
        }
        2 => move_part(list, part, random),
        3 => swap(list, random),
        4..=6 => rename(list, random),
        _ => {
            let place = some_place(list, random);
            list.splice(place, [WORDS[random.usize(..WORDS.len())].as_slice()]);
        }
    }
}

/// A token, a bracketed part, several of them, or a line.
fn some_part(list: &[&[u8]], random: &mut Rng) -> Range<usize> {
    let at = random.usize(..list.len());
    match random.u8(..4) {
        0 => line(list, at),
        1 => {
            let mut end = at;
            for _ in 0..random.usize(1..6) {
                end = if end < list.len() { tree(list, end).end } else { end };
            }
            at..end
        }
        _ => tree(list, at),
    }
}

/// Where something is put: between two tokens, or instead of a part.
fn some_place(list: &[&[u8]], random: &mut Rng) -> Range<usize> {
    if list.is_empty() || random.bool() {
        let at = random.usize(..=list.len());
        return at..at;
    }
    let at = random.usize(..list.len());
    tree(list, at)
}

fn move_part(list: &mut Vec<&[u8]>, part: Range<usize>, random: &mut Rng) {
    let moved: Vec<&[u8]> = list.drain(part).collect();
    let at = random.usize(..=list.len());
    list.splice(at..at, moved);
}

/// Exchanges two parts that do not overlap.
fn swap(list: &mut Vec<&[u8]>, random: &mut Rng) {
    let (a, b) = (some_part(list, random), some_part(list, random));
    let (first, second) = if a.start <= b.start { (a, b) } else { (b, a) };
    if first.end <= second.start {
        let (early, late) = (list[first.clone()].to_vec(), list[second.clone()].to_vec());
        list.splice(second, early);
        list.splice(first, late);
    }
}

/// Puts a word of the text, else one of the language, in the place of another.
fn rename(list: &mut [&[u8]], random: &mut Rng) {
    let is_word = |token: &[u8]| token[0].is_ascii_alphanumeric() || token[0] == b'"';
    let places: Vec<usize> = (0..list.len()).filter(|at| is_word(list[*at])).collect();
    if places.is_empty() {
        return;
    }
    let at = places[random.usize(..places.len())];
    list[at] = if random.u8(..3) == 0 {
        WORDS[random.usize(..WORDS.len())].as_slice()
    } else {
        list[places[random.usize(..places.len())]]
    };
}

/// Writes as many whole tokens as there is room for.
fn write(list: &[&[u8]], out: &mut [u8], limit: usize) -> usize {
    let mut length = 0;
    for token in list {
        if length + token.len() > limit {
            break;
        }
        out[length..length + token.len()].copy_from_slice(token);
        length += token.len();
    }
    length
}
