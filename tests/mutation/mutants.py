"""What could be wrong in a line of C: every small change of it that a tired programmer might make.

mutants_of(NAME, TEXT) gives all one-line mutants of a file in the style of the house: a function begins with
"{" and ends with "}" in the first column. Texts, comments and declarations of types are left alone."""
import collections
import re

Mutant = collections.namedtuple("Mutant", "name number kind before after")  # number: of the line, from 1

# Changes that no test can see and no compiler proves harmless: (kind or "", what the line looks like). Each
# with its reason, and few.
HARMLESS = [
    ("", r"\bassert\("),  # our own contract; it holds in every run there is
    ("", r"prefetch"),  # a hint for the processor
    ("constant", r"_CAPACITY\b|\bcapacity = .*\? .* : \d+;|\bnew = old \? |\bcapacity \*= "),  # how much an array grows at once
]

# (kind, what is found, what may stand there instead)
SWAPS = [
    ("relation", r"(?<=\s)<(?=\s)", ["<=", ">="]),
    ("relation", r"(?<=\s)>(?=\s)", [">=", "<="]),
    ("relation", r"(?<=\s)<=(?=\s)", ["<", ">"]),
    ("relation", r"(?<=\s)>=(?=\s)", [">", "<"]),
    ("relation", r"(?<=\s)==(?=\s)", ["!="]),
    ("relation", r"(?<=\s)!=(?=\s)", ["=="]),
    ("arithmetic", r"(?<=\s)\+(?=\s)", ["-"]),
    ("arithmetic", r"(?<=\s)-(?=\s)", ["+"]),
    ("arithmetic", r"(?<=\s)\*(?=\s)", ["/"]),
    ("arithmetic", r"(?<=\s)/(?=\s)", ["*"]),
    ("arithmetic", r"(?<=\s)%(?=\s)", ["/"]),
    ("arithmetic", r"(?<=\s)\+=(?=\s)", ["-=", "="]),
    ("arithmetic", r"(?<=\s)-=(?=\s)", ["+=", "="]),
    ("arithmetic", r"(?<=[\w\])])\+\+", ["--"]),
    ("arithmetic", r"(?<=[\w\])])--", ["++"]),
    ("logic", r"(?<=\s)&&(?=\s|$)", ["||"]),
    ("logic", r"(?<=\s)\|\|(?=\s|$)", ["&&"]),
    ("logic", r"(?<=[\s(])!(?=[\w(])", [""]),
    ("bits", r"(?<=\s)&(?=\s)", ["|"]),
    ("bits", r"(?<=\s)\|(?=\s)", ["&"]),
    ("bits", r"(?<=\s)<<(?=\s)", [">>"]),
    ("bits", r"(?<=\s)>>(?=\s)", ["<<"]),
    ("bits", r"(?<=\s)\|=(?=\s)", ["=", "&="]),
    ("bits", r"(?<=\s)&=(?=\s)", ["|="]),
    ("constant", r"\btrue\b", ["false"]),
    ("constant", r"\bfalse\b", ["true"]),
    ("extreme", r"\blatest_of\b", ["earliest_of"]),
    ("extreme", r"\bearliest_of\b", ["latest_of"]),
    ("extreme", r"\bfmin\b", ["fmax"]),
    ("extreme", r"\bfmax\b", ["fmin"]),
]
NUMBER = re.compile(r"(?<![\w.])(0x[0-9a-fA-F]+|\d+)(?![\w.])|(?<![\w.])(\d+)(?=u\b)")
CONDITION = re.compile(r"\b(if|while) \((.*)\)(?= \{$|$)")
RETURN = re.compile(r"\breturn (?!0;|false;|NULL;|true;)(.+);")
STATEMENT = re.compile(r"\s+(\(void\) )?(\w+\(.*\)|[*\w.>\[\]()-]+ ([-+*/|&^]|<<|>>)?= .*|[\w.>\[\]-]+(\+\+|--));$"
                       r"|\s+(break|continue|return|return [^;]+);$")
INITIALIZER = re.compile(r"\s+\.\w+ = .*,$")
DEFINED = re.compile(r"#define \w+ +[^\\]*\d[^\\]*$|static const [^;]*= \{?.*\d.*;$")


def without_texts(text):
    """The same with blanks in place of comments and of what stands in quotes."""
    def blank(match):
        found = match.group(0)
        if found[0] == "/":
            return re.sub(r"[^\n]", " ", found)
        return found[0] + " " * (len(found) - 2) + found[-1]
    return re.sub(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'', blank, text, flags=re.S)


def code_lines(lines):
    """(index, whether it is in a function) of the lines that carry code."""
    inside = False
    for index, line in enumerate(lines):
        if line == "{":
            inside = True
        elif line == "}":
            inside = False
        elif line.strip() and (inside or DEFINED.match(line)):
            yield index, inside


def is_balanced(text):
    return text.count("(") == text.count(")")


def swaps(line):
    for kind, pattern, instead in SWAPS:
        for match in re.finditer(pattern, line):
            for other in instead:
                yield kind, match.start(), match.end(), other


def numbers(line):
    for match in NUMBER.finditer(line):
        value = int(match.group(0), 0)
        for other in sorted({value + 1, value - 1, 0} - {value, -1}):
            yield "constant", match.start(), match.end(), str(other)


def conditions(line):
    for match in CONDITION.finditer(line):
        if is_balanced(match.group(2)):
            yield "condition", match.start(2), match.end(2), "!({})"
    for match in RETURN.finditer(line):
        yield "return", match.start(1), match.end(1), "0"


def may_go(lines, index):
    """Whether the line is a whole statement, or a whole member of an initializer, that can be left out."""
    line, before = lines[index], next((other for other in reversed(lines[:index]) if other.strip()), "")
    if INITIALIZER.match(line):
        return is_balanced(line)
    if not STATEMENT.match(line) or not is_balanced(line) or not re.search(r"[;{}:)]$|\belse$", before):
        return False
    if before.endswith(")") and not re.match(r"\s*(if|while|for|switch|else if)\b.*\)$|\s+[^;]*\)$", before):
        return False
    return not (line.strip().startswith("return") and lines[index + 1] == "}")


def changes(lines, index, inside):
    """(kind, start, end, replacement) for one line; {} in a replacement is what stood there."""
    yield from numbers(lines[index])
    yield from swaps(lines[index])
    if inside:
        yield from conditions(lines[index])
        if may_go(lines, index):
            line = lines[index]
            yield "removal", len(line) - len(line.lstrip()), len(line), ";" if line.endswith(";") else ""


def is_harmless(kind, line):
    return any(kind.startswith(of) and re.search(looks, line) for of, looks in HARMLESS)


def mutants_of(name, text):
    """A list of lists: for each line that can be changed, its mutants."""
    originals, found = text.split("\n"), []
    lines = [line.rstrip() for line in without_texts(text).split("\n")]
    for index, inside in code_lines(lines):
        before = originals[index]
        mutants = [Mutant(name, index + 1, kind, before,
                          before[:start] + other.replace("{}", before[start:end]) + before[end:])
                   for kind, start, end, other in changes(lines, index, inside)
                   if not is_harmless(kind, lines[index])]
        if mutants:
            found.append(mutants)
    return found


def applied(text, mutant):
    lines = text.split("\n")
    lines[mutant.number - 1] = mutant.after
    return "\n".join(lines)
