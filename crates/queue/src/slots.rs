//! A table whose rows keep their places: who goes leaves a place free, and who comes next takes it. So a place is a number of
//! four octets, which heaps and lists can hold; whether it still means the same row, marks say by their generation.

#[derive(Debug)]
pub(crate) struct Slots<T> {
    rows: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { rows: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slots<T> {
    pub fn put(&mut self, row: T) -> u32 {
        match self.free.pop() {
            Some(place) => {
                self.rows[place as usize] = Some(row);
                place
            }
            None => {
                self.rows.push(Some(row));
                (self.rows.len() - 1) as u32
            }
        }
    }

    pub fn take(&mut self, place: u32) -> Option<T> {
        let row = self.rows[place as usize].take()?;
        self.free.push(place);
        Some(row)
    }

    pub fn get(&self, place: u32) -> Option<&T> {
        self.rows.get(place as usize)?.as_ref()
    }

    pub fn get_mut(&mut self, place: u32) -> Option<&mut T> {
        self.rows.get_mut(place as usize)?.as_mut()
    }

    /// A row that is there: its place is known only for as long as it is.
    pub fn at(&mut self, place: u32) -> &mut T {
        self.get_mut(place).expect("a place is known only while its row is there")
    }

    /// Places, free ones included.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The rows that are there, by their places.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &T)> {
        self.rows.iter().enumerate().filter_map(|(place, row)| Some((place as u32, row.as_ref()?)))
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut T)> {
        self.rows.iter_mut().enumerate().filter_map(|(place, row)| Some((place as u32, row.as_mut()?)))
    }

    pub fn retain(&mut self, stays: impl Fn(&T) -> bool, mut gone: impl FnMut(T)) {
        for (place, row) in self.rows.iter_mut().enumerate() {
            if let Some(row) = row.take_if(|row| !stays(row)) {
                self.free.push(place as u32);
                gone(row);
            }
        }
    }
}
