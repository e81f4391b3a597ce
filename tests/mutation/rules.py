"""The rules: which single changes of a C++ file are tried. The syntax tree is libclang's (the package python3-clang-14).

A mutant is one change of one place. Most can be written as an expression or statement that asks at run time whether its
mutant is the chosen one, so that all mutants of a file are compiled in at once (mutant schemata: Untch, Offutt and Harrold,
ISSTA 1993); schema.py does that. The others (constant expressions) are built one by one.
"""

import dataclasses
import json
import os
import re
import sys

try:
    from clang import cindex
except ImportError:  # Debian's package serves Debian's python3; this may run under another
    sys.path.append("/usr/lib/python3/dist-packages")
    try:
        from clang import cindex
    except ImportError:
        sys.exit("mutate.py: needs libclang's bindings: scripts/install-packages.sh test (python3-clang-14)")

Kind = cindex.CursorKind
CHOSEN = b"\0"  # stands for the question "is this mutant the chosen one?" in a mutant's prefix

COMPARE = {b"<": b"<=", b"<=": b"<", b">": b">=", b">=": b">", b"==": b"!=", b"!=": b"=="}
LOGIC = {b"&&": b"||", b"||": b"&&"}
ARITHMETIC = {b"+": b"-", b"-": b"+", b"*": b"+", b"/": b"*", b"%": b"*"}
ASSIGN = {b"+=": b"-=", b"-=": b"+=", b"*=": b"+=", b"/=": b"*=", b"|=": b"&=", b"&=": b"|="}
OUTCOMES = ("ok", "fail", "info")
DEFAULTS = (b"{}", b"nullptr", b"0", b'""', b"std::nullopt", b"false", b"std::string()")
FUNCTIONS = (Kind.FUNCTION_DECL, Kind.CXX_METHOD, Kind.CONSTRUCTOR, Kind.DESTRUCTOR, Kind.CONVERSION_FUNCTION,
             Kind.FUNCTION_TEMPLATE)
LOOPS = (Kind.FOR_STMT, Kind.WHILE_STMT, Kind.CXX_FOR_RANGE_STMT)


@dataclasses.dataclass
class Mutant:
    file: str  # relative to the top of the tree
    kind: str
    start: int  # the bytes that the change replaces …
    end: int
    text: bytes  # … and with what
    line: int
    # The piece of source around which `prefix` and `suffix` go; no prefix: it must be built on its own.
    outer: tuple = (0, 0)
    prefix: bytes = b""
    suffix: bytes = b""
    number: int = 0
    state: str = ""  # killed, survived, equivalent, stillborn, not tried
    by: str = ""  # what killed it, or a remark
    suspect: str = ""  # why a survivor may be equivalent

    def applied(self, source):
        # As many lines as before: what depends on line numbers stays the same.
        lost = source[self.start:self.end].count(b"\n") - self.text.count(b"\n")
        return source[:self.start] + self.text + b"\n" * max(0, lost) + source[self.end:]

    def diff(self, source):
        first = source.rfind(b"\n", 0, self.start) + 1
        last = source.find(b"\n", self.end)
        last = len(source) if last < 0 else last
        old = source[first:last].decode(errors="replace")
        new = (source[first:self.start] + self.text + source[self.end:last]).decode(errors="replace")
        return "\n".join(["    - " + line for line in old.split("\n")] + ["    + " + line for line in new.split("\n")])


def compile_flags(root, build, file):
    """The flags of the file's own entry, or of a neighbour's (for headers)."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as text:
        entries = json.load(text)
    path = os.path.join(root, file)
    own = [entry for entry in entries if entry["file"] == path]
    near = sorted(entries, key=lambda e: -len(os.path.commonpath([os.path.dirname(e["file"]), os.path.dirname(path)])))
    flags, take = ["-x", "c++"], False
    for word in (own or near)[0]["command"].split():
        if take:
            flags.append(word)
            take = False
        elif word == "-isystem":
            flags.append(word)
            take = True
        elif word.startswith(("-I", "-D", "-std")):
            flags.append(word)
    return flags


class Finder:
    def __init__(self, root, build, file):
        self.file = file
        path = os.path.join(root, file)
        with open(path, "rb") as source:
            self.source = source.read()
        flags = compile_flags(root, build, file)
        self.unit = cindex.Index.create().parse(
            path, flags, options=cindex.TranslationUnit.PARSE_DETAILED_PROCESSING_RECORD)
        self.path = path
        self.found = []
        self.taken = set()
        self.macros = []

    # --- text ---
    def span(self, cursor):
        return cursor.extent.start.offset, cursor.extent.end.offset

    def text(self, cursor):
        start, end = self.span(cursor)
        return self.source[start:end]

    def add(self, kind, span, text, outer=None, prefix=b"", suffix=b""):
        start, end = span
        if (start, end, text) in self.taken or self.source[start:end] == text:
            return
        if any(a <= start and end <= b for a, b in self.macros):
            return
        self.taken.add((start, end, text))
        self.found.append(Mutant(self.file, kind, start, end, text, self.source.count(b"\n", 0, start) + 1,
                                 outer or span, b"" if self.constant else prefix, suffix))

    def choice(self, kind, outer, span, text):
        """The expression `outer`, or the same with `text` in place of `span`."""
        start, end = outer
        other = self.source[start:span[0]] + text + self.source[span[1]:end]
        self.add(kind, span, text, outer, b"(" + CHOSEN + b" ? (" + other + b") : (", b"))")

    # --- the walk ---
    def run(self):
        for cursor in self.unit.cursor.get_children():
            if cursor.location.file is None or cursor.location.file.name != self.path:
                continue
            if cursor.kind == Kind.MACRO_INSTANTIATION:
                self.macros.append(self.span(cursor))
        self.constant = False
        for cursor in self.unit.cursor.get_children():
            if cursor.location.file is not None and cursor.location.file.name == self.path:
                self.walk(cursor, None, None)
        self.found.sort(key=lambda m: (m.start, m.end, m.text))
        return self.found

    def is_constant(self, cursor):
        start, end = self.span(cursor)
        if cursor.kind in FUNCTIONS + (Kind.VAR_DECL, Kind.FIELD_DECL):
            return b"constexpr" in self.source[start:max(start, cursor.location.offset)].split(b"\n")[-1]
        if cursor.kind == Kind.IF_STMT:
            return self.source[start:end].startswith(b"if constexpr")
        return False

    def walk(self, cursor, parent, function):
        kind = cursor.kind
        if kind in (Kind.STATIC_ASSERT, Kind.ENUM_DECL, Kind.TYPE_ALIAS_DECL, Kind.TYPEDEF_DECL):
            return
        if kind in FUNCTIONS or kind == Kind.LAMBDA_EXPR:
            function = cursor
        before = self.constant
        children = list(cursor.get_children())
        if kind == Kind.IF_STMT and self.is_constant(cursor):
            for child in children[1:]:
                self.walk(child, cursor, function)
            return
        self.constant = before or self.is_constant(cursor)
        self.look(cursor, parent, children, function)
        if kind == Kind.CASE_STMT:
            children = children[1:]
        if kind != Kind.DECL_REF_EXPR:
            for child in children:
                self.walk(child, cursor, function)
        self.constant = before

    def look(self, cursor, parent, children, function):
        kind = cursor.kind
        if kind in (Kind.IF_STMT, Kind.WHILE_STMT):
            self.condition(children)
        elif kind == Kind.CONDITIONAL_OPERATOR and len(children) == 3:
            self.condition(children[:1])
        elif kind == Kind.UNARY_OPERATOR and children:
            self.unary(cursor, children[0])
        elif kind == Kind.INTEGER_LITERAL or kind == Kind.FLOATING_LITERAL:
            self.literal(cursor, parent)
        elif kind == Kind.CXX_BOOL_LITERAL_EXPR:
            flipped = {b"true": b"false", b"false": b"true"}.get(self.text(cursor))
            if flipped:
                self.choice("constant", self.span(cursor), self.span(cursor), flipped)
        elif kind == Kind.DECL_REF_EXPR:
            self.enumerator(cursor)
        elif kind == Kind.RETURN_STMT:
            self.returned(cursor, children, function)
        elif kind in (Kind.BREAK_STMT, Kind.CONTINUE_STMT):
            self.add("drop", self.span(cursor), b"(void)0", None, b"if (" + CHOSEN + b") {} else ")
        if 2 <= len(children) <= 3:
            self.binary(cursor, children)
        for child in self.statements(cursor, children):
            if child.kind.is_expression() and self.text(child) not in (b"", b"(void)0"):
                self.add("drop", self.span(child), b"(void)0", None, b"(" + CHOSEN + b" ? void() : void(", b"))")

    @staticmethod
    def statements(cursor, children):
        if cursor.kind == Kind.COMPOUND_STMT:
            return children
        if cursor.kind in LOOPS:
            return children[-1:]
        if cursor.kind in (Kind.CASE_STMT, Kind.DEFAULT_STMT):
            return children[-1:]
        if cursor.kind == Kind.IF_STMT:
            at = next((i for i, child in enumerate(children) if child.kind.is_expression()), len(children))
            return children[at + 1:]
        return []

    def operator_between(self, left, right):
        """(offset, operator) when nothing but an operator stands between two operands."""
        start, end = left.extent.end.offset, right.extent.start.offset
        if start > end:
            return None
        between = self.source[start:end]
        sign = between.strip()
        return (start + between.index(sign), sign) if sign else None

    def condition(self, children):
        # What comes before it (an initialiser) ends in a semicolon.
        closed = lambda child: self.source[child.extent.end.offset:].lstrip()[:1] in (b")", b"?")  # noqa: E731
        at = next((i for i, child in enumerate(children) if child.kind.is_expression() and closed(child)), None)
        if at is None:
            return
        start, end = self.span(children[at])
        if any(child.extent.start.offset <= start and end <= child.extent.end.offset for child in children[:at]):
            return  # a variable that the condition declares
        text = self.source[start:end]
        parts = list(children[at].get_children())
        sign = self.operator_between(parts[0], parts[-1]) if len(parts) >= 2 else None
        if text.startswith(b"!") or (sign and sign[1] in (b"==", b"!=")):
            return  # another rule makes the same of it
        self.add("negate", (start, end), b"!(" + text + b")", None, b"(" + CHOSEN + b" ^ static_cast<bool>(", b"))")

    def unary(self, cursor, operand):
        start, end = self.span(cursor)
        text = self.source[start:end]
        inner = self.text(operand)
        if text.startswith(b"!"):
            self.add("negate", (start, end), b"static_cast<bool>(" + inner + b")", None,
                     b"(" + CHOSEN + b" ^ ", b")")
        elif text.startswith((b"++", b"--")):
            self.choice("arithmetic", (start, end), (start, start + 2), b"--" if text.startswith(b"++") else b"++")
        elif text.endswith((b"++", b"--")):
            self.choice("arithmetic", (start, end), (end - 2, end), b"--" if text.endswith(b"++") else b"++")
        elif text.startswith(b"-") and operand.kind not in (Kind.INTEGER_LITERAL, Kind.FLOATING_LITERAL):
            self.choice("arithmetic", (start, end), (start, start + 1), b"+")

    def binary(self, cursor, children):
        if not (cursor.kind.is_expression() and children[0].kind.is_expression() and children[-1].kind.is_expression()):
            return
        found = self.operator_between(children[0], children[-1])
        if not found:
            return
        at, sign = found
        outer, span = self.span(cursor), (at, at + len(sign))
        if sign in COMPARE:
            self.choice("compare", outer, span, COMPARE[sign])
        elif sign in LOGIC:
            self.choice("logic", outer, span, LOGIC[sign])
        elif sign in ARITHMETIC and self.is_number(children[0]) and self.is_number(children[-1]):
            if self.text(children[-1]) == b"1" and sign in (b"+", b"-"):
                self.choice("off by one", outer, (at, children[-1].extent.end.offset), b"")
            else:
                self.choice("arithmetic", outer, span, ARITHMETIC[sign])
        elif sign in ASSIGN and self.is_number(children[0]):
            self.choice("arithmetic", outer, span, ASSIGN[sign])

    @staticmethod
    def is_number(cursor):
        kind = cursor.type.get_canonical().kind
        return cindex.TypeKind.BOOL.value <= kind.value <= cindex.TypeKind.LONGDOUBLE.value

    def literal(self, cursor, parent):
        start, end = self.span(cursor)
        text = self.source[start:end]
        if parent is not None and parent.kind in (Kind.VAR_DECL, Kind.FIELD_DECL, Kind.PARM_DECL, Kind.CXX_METHOD,
                                                  Kind.FUNCTION_DECL, Kind.CALL_EXPR, Kind.TYPE_REF):
            before = self.source[:start].rstrip()
            if start < parent.location.offset or before.endswith(b"[") or (before.endswith(b"<")):
                return  # part of a type
        match = re.fullmatch(rb"(0[xX][0-9a-fA-F']+|[0-9][0-9']*)(\.[0-9]+(?:e-?[0-9]+)?)?([A-Za-z_]*)", text)
        if not match:
            return
        try:
            value = int(match[1].replace(b"'", b""), 16 if match[1][:2] in (b"0x", b"0X") else 10)
        except ValueError:
            return
        for other in ([0, 2] if value == 1 else [value + 1]):
            self.choice("constant", (start, end), (start, end), str(other).encode() + (match[2] or b"") + match[3])

    def enumerator(self, cursor):
        target = cursor.referenced
        if target is None or target.kind != Kind.ENUM_CONSTANT_DECL:
            return
        names = [child.spelling for child in target.semantic_parent.get_children()
                 if child.kind == Kind.ENUM_CONSTANT_DECL]
        own = target.spelling
        if own in OUTCOMES and set(OUTCOMES) <= set(names):
            others = [name for name in OUTCOMES if name != own]
        elif len(names) <= 3:
            others = [name for name in names if name != own]
        else:
            others = [names[(names.index(own) + 1) % len(names)]]
        span = self.span(cursor)
        text = self.text(cursor)
        if not text.endswith(own.encode()):
            return
        for other in others:
            self.choice("verdict", span, span, text[:-len(own)] + other.encode())

    def returned(self, cursor, children, function):
        span = self.span(cursor)
        text = self.source[span[0]:span[1]]
        if not children:
            self.add("drop", span, b"(void)0", None, b"if (" + CHOSEN + b") {} else ")
            return
        value = self.text(children[0])
        if function is None or value.strip() in DEFAULTS or value == b"true" or not text.startswith(b"return"):
            return
        inside = children[0].type.get_canonical().kind == cindex.TypeKind.BOOL
        if function.kind != Kind.LAMBDA_EXPR:
            inside = function.result_type.get_canonical().kind == cindex.TypeKind.BOOL
        if inside:
            parts = list(children[0].get_children())
            sign = self.operator_between(parts[0], parts[-1]) if len(parts) >= 2 else None
            if value.startswith(b"!") or (sign and sign[1] in (b"==", b"!=")):
                return
            other = b"return !(" + value + b")"
        elif function.kind == Kind.LAMBDA_EXPR:
            other = b"return std::remove_cvref_t<decltype(" + value + b")>{}"
        else:
            other = b"return {}"
        self.add("return", span, other, None, b"if (" + CHOSEN + b") " + other + b"; else ")


def mutants_of(root, build, file):
    return Finder(root, build, file).run()
