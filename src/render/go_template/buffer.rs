//! Text that cannot grow without end.

/// One text, whether it is printed or made on the way there.
pub const TEXT_BYTES_MAX: usize = 1 << 20;

/// The reason why a template stops.
pub type Fault = String;

pub fn too_long() -> Fault {
    format!("the text grows beyond {TEXT_BYTES_MAX} bytes")
}

#[derive(Debug, Default)]
pub struct Buffer {
    text: String,
}

impl Buffer {
    /// # Errors
    /// When it would become too long.
    pub fn push_str(&mut self, text: &str) -> Result<(), Fault> {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Err(too_long());
        }
        self.text.push_str(text);
        Ok(())
    }

    /// # Errors
    /// When it would become too long.
    pub fn push(&mut self, char: char) -> Result<(), Fault> {
        self.push_str(char.encode_utf8(&mut [0; 4]))
    }

    /// # Errors
    /// When it would become too long.
    pub fn push_times(&mut self, char: char, count: usize) -> Result<(), Fault> {
        if self.text.len() + count.saturating_mul(char.len_utf8()) > TEXT_BYTES_MAX {
            return Err(too_long());
        }
        self.text.extend(std::iter::repeat_n(char, count));
        Ok(())
    }

    pub fn into_text(self) -> String {
        self.text
    }
}
