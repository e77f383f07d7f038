//! A list that keeps its first elements in place.

/// A list of small values: the first `N` are in the value itself, and only a longer list is on the
/// heap. Its length is not limited.
#[derive(Clone, Debug)]
pub struct InlineList<T, const N: usize> {
    inline: [T; N],
    len: usize,
    /// All elements, once there are more than `N`; empty until then.
    spilled: Vec<T>,
}

impl<T: Copy + Default, const N: usize> Default for InlineList<T, N> {
    fn default() -> Self {
        InlineList {
            inline: [T::default(); N],
            len: 0,
            spilled: Vec::new(),
        }
    }
}

impl<T: Copy + Default, const N: usize> InlineList<T, N> {
    /// Adds an element at the end.
    #[inline]
    pub fn push(&mut self, element: T) {
        match self.inline.get_mut(self.len) {
            Some(place) => {
                *place = element;
                self.len += 1;
            }
            None => {
                if self.spilled.is_empty() {
                    self.spilled.extend_from_slice(&self.inline);
                }
                self.spilled.push(element);
            }
        }
    }

    /// The elements.
    #[inline]
    pub fn as_slice(&self) -> &[T] {
        if self.spilled.is_empty() {
            self.inline.get(..self.len).unwrap_or_default()
        } else {
            &self.spilled
        }
    }

    /// The elements, to change them.
    #[inline]
    pub fn as_mut_slice(&mut self) -> &mut [T] {
        if self.spilled.is_empty() {
            self.inline.get_mut(..self.len).unwrap_or_default()
        } else {
            &mut self.spilled
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_lists_hold_what_was_pushed() {
        for length in [0, 1, 3, 4, 9, 2] {
            let mut list = InlineList::<u8, 3>::default();
            for element in 0..length {
                list.push(element);
            }
            let expected: Vec<u8> = (0..length).collect();
            assert_eq!(list.as_slice(), expected);
            assert_eq!(list.as_mut_slice(), expected);
        }
    }
}
