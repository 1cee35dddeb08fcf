//! As much of a shell's language as the pages use: comments, lines that go on, quotes, and
//! what stands between commands. It runs nothing.

/// The commands of a block, one a line, without comments; a line that ends with a backslash
/// goes on in the next.
pub fn lines<'a>(block: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut commands = Vec::new();
    let mut open = String::new();
    for line in block {
        let line = uncommented(line).trim();
        if let Some(begun) = line.strip_suffix('\\') {
            open += begun.trim_end();
            open.push(' ');
        } else if !line.is_empty() || !open.is_empty() {
            commands.push(std::mem::take(&mut open) + line);
        }
    }
    if !open.is_empty() {
        commands.push(open.trim().to_owned());
    }
    commands
}

/// The words of each simple command in a line, without the quotes and without `sudo`.
pub fn simple(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    for letter in uncommented(line).chars().chain([' ']) {
        match (quote, letter) {
            (Some(mark), _) if mark == letter => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, ' ' | '|' | '&' | ';' | '<' | '>') => {
                if let (Some(command), Some(word)) = (commands.last_mut(), word.take()) {
                    command.push(word);
                }
                if letter != ' ' {
                    commands.push(Vec::new());
                }
            }
            _ => word.get_or_insert_default().push(letter),
        }
    }
    for command in &mut commands {
        if command.first().is_some_and(|word| word == "sudo") {
            command.remove(0);
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

/// What a page shows as a command, with its line: what is in its blocks, and what stands
/// between ticks, up to where it says `…`.
pub fn shown(page: &str) -> Vec<(usize, String)> {
    let mut shown = Vec::new();
    let mut in_block = false;
    let mut open = String::new();
    for (at, line) in (1..).zip(page.lines()) {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            match line.trim_end().strip_suffix('\\') {
                Some(begun) => open += begun,
                None => shown.push((at, std::mem::take(&mut open) + line)),
            }
        } else {
            for text in line.split('`').skip(1).step_by(2) {
                shown.push((at, text.split('…').next().unwrap_or_default().to_owned()));
            }
        }
    }
    shown
}

/// A line up to its comment.
fn uncommented(line: &str) -> &str {
    let mut quote = None;
    let mut before = ' ';
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (Some(mark), _) if mark == letter => quote = None,
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if before == ' ' => return &line[..at],
            _ => {}
        }
        before = letter;
    }
    line
}
