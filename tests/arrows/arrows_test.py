#!/usr/bin/env python3
"""Holds the arrows between the rooms, and a few promises that a reader of the code relies on.

Every rule is a function from a source tree to the list of its violations, so that the rules can be
shown to work on a tree that breaks them.
"""

import pathlib
import re
import tempfile
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

# Which rooms the sources of a room may include, itself aside.
ROOMS = {
    "base": set(),
    "pki": {"base"},
    "ledger": {"base", "pki"},
    "ca": {"base", "ledger", "pki"},
    "istio": {"base", "pki"},
    "profiles": {"base", "istio", "pki"},
    "k8s": {"base"},
    "mesh": {"base", "istio", "pki", "profiles"},
    "run": {"base", "ca", "istio", "k8s", "ledger", "mesh", "pki", "profiles"},
    "cli": {"base", "ca", "istio", "k8s", "ledger", "mesh", "pki", "profiles", "run"},
}

# Who may see a library: a whole room ("pki/") or single files.
LIBRARIES = {
    "openssl": ("pki/", "k8s/", "base/secret.cpp", "base/encoding.cpp", "base/hardening.cpp"),
    "botan": ("pki/",),
    "curl": ("k8s/",),
    "wslay": ("k8s/web_socket.cpp",),
    "nghttp2": ("k8s/grpc.cpp",),
    "sqlite3": ("ca/storage/sqlite.cpp",),
    "yaml-cpp": ("base/yaml.cpp",),
    "CLI": ("cli/",),
}

# Headers that show a library all the same: they own its C objects, inside their room only.
INTERNAL_HEADERS = {"pki/handle.h", "pki/der.h", "k8s/easy.h"}

# Where a purpose comes from the caller, who has to give it.
HAND_ON_A_PURPOSE = {"base/secret.cpp", "k8s/http.cpp"}

# Rooms that think and never do.
PURE_ROOMS = ("ledger", "mesh", "profiles")
EFFECTS = {
    "base/cancellation.h", "base/clock.h", "base/files.h", "base/hardening.h", "base/processes.h",
    "base/random.h", "atomic", "condition_variable", "cstdio", "cstdlib", "filesystem", "fstream",
    "future", "iostream", "mutex", "random", "thread", "unistd.h", "fcntl.h", "sys/socket.h",
    "fmt/os.h",
}

# The only way out: connections to API servers, which libcurl makes, and what runs over them.
OPENS_CONNECTIONS = {"k8s/easy.cpp"}  # hands out libcurl's handles
RESOLVES_NAMES = {"k8s/resolve.cpp"}  # asks the system's resolver for a load balancer's name
# ... and the address of a TLS server that a person names to `inspect`.
USES_HANDLES = {"k8s/easy.cpp", "k8s/connection.cpp", "k8s/raw_connection.cpp", "k8s/tcp_stream.cpp"}
NETWORK_CALL = re.compile(
    r"(?<![\w.>])(?:::\s*)?("
    r"curl_easy_init|curl_multi_init|curl_easy_duphandle|curl_share_init"
    r"|socket|socketpair|connect|sendto|sendmsg"
    r"|getaddrinfo(?:_a)?|gethostby\w+|getnameinfo|res_n?(?:query|search)|inet_addr"
    r"|BIO_new_connect|BIO_new_socket|BIO_new_accept|BIO_s_connect|BIO_s_socket|BIO_s_accept"
    r"|BIO_socket|BIO_connect|BIO_lookup(?:_ex)?|OSSL_HTTP_\w+|SSL_set_r?w?fd"
    r")\s*\("
)
NETWORK_HEADERS = {"sys/socket.h", "netdb.h", "sys/un.h", "netinet/in.h", "netinet/tcp.h", "resolv.h"}

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
COMMENT_OR_STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.DOTALL)


def sources(tree):
    """Name below `tree` and text of every source of every room."""
    for room in ROOMS:
        for path in sorted((tree / room).rglob("*")):
            if path.suffix in (".h", ".cpp"):
                yield path.relative_to(tree).as_posix(), path.read_text(encoding="utf-8")


def includes(text):
    """(what, is ours) of every #include."""
    for ours, theirs in INCLUDE.findall(text):
        yield (ours, True) if ours else (theirs, False)


def room_of(name):
    return name.split("/", 1)[0]


def without_comments(text, strings="kept"):
    """The code; comments become blank, and strings empty unless they are kept."""
    def replace(match):
        if not match.group().startswith('"'):
            return ""
        return match.group() if strings == "kept" else '""'
    return COMMENT_OR_STRING.sub(replace, text)


def code_only(text):
    return without_comments(text, strings="emptied")


def library_of(header):
    first = header.split("/", 1)[0].removesuffix(".h")
    return first if first in LIBRARIES else None


def arrows_broken(tree):
    for name, text in sources(tree):
        room = room_of(name)
        for header, ours in includes(text):
            if not ours:
                continue
            target = room_of(header)
            if "/" not in header or target not in ROOMS:
                yield f'{name} includes "{header}", which is not rooted in a room'
            elif target != room and target not in ROOMS[room]:
                yield f'{name} includes "{header}", but {room} may not know {target}'


def includes_without_file(tree):
    for name, text in sources(tree):
        for header, ours in includes(text):
            if ours and not (tree / header).is_file():
                yield f'{name} includes "{header}", which does not exist'


def libraries_outside_their_rooms(tree):
    for name, text in sources(tree):
        for header, ours in includes(text):
            library = None if ours else library_of(header)
            if library and not name.startswith(LIBRARIES[library]):
                yield f"{name} includes <{header}>, which only {', '.join(LIBRARIES[library])} may"


def libraries_in_headers(tree):
    for name, text in sources(tree):
        if not name.endswith(".h") or name in INTERNAL_HEADERS:
            continue
        for header, ours in includes(text):
            if not ours and library_of(header):
                yield f"{name} shows <{header}> to everybody who includes it"


def internal_headers_outside_their_room(tree):
    for name, text in sources(tree):
        for header, ours in includes(text):
            if ours and header in INTERNAL_HEADERS and room_of(header) != room_of(name):
                yield f'{name} includes "{header}", which is internal to {room_of(header)}'


def effects_in_pure_rooms(tree):
    for name, text in sources(tree):
        if room_of(name) not in PURE_ROOMS:
            continue
        for header, _ in includes(text):
            if header in EFFECTS:
                yield f"{name} includes {header}, though {room_of(name)} has no effects"
        if re.search(r"\b\w*clock\w*::now\s*\(|\btime\s*\(\s*(?:nullptr|0)\s*\)", code_only(text)):
            yield f"{name} asks a clock"


def reveals_without_purpose(tree):
    """Every `reveal` and `reveal_bytes` says in a literal who gets to see the secret."""
    for name, text in sources(tree):
        code = without_comments(text)
        for match in re.finditer(r"\breveal(?:_bytes)?\(", code):
            arguments, declares = call_at(code, match)
            if declares or (name in HAND_ON_A_PURPOSE and arguments.endswith(", purpose")):
                continue
            if not re.search(r',\s*"[^"]{4,}"\s*$', arguments):
                yield f"{name}: reveal({arguments}) names no purpose"


def planned_over_an_unknown(tree):
    """A planner tells what is unknown, which refuses the plan; it never reads it as absent."""
    for name, text in sources(tree):
        if re.match(r"mesh/plan[^/]*\.cpp$", name) and re.search(r"\bUnknown::", code_only(text)):
            yield f"{name} takes what is unknown for absent"


def call_at(code, match):
    """The text between the parentheses that `match` opens, and whether it is a declaration."""
    depth, at, in_string = 1, match.end(), False
    while depth and at < len(code):
        character = code[at]
        if in_string:
            at += character == "\\"
            in_string = character != '"'
        else:
            in_string = character == '"'
            depth += {"(": 1, ")": -1}.get(character, 0)
        at += 1
    arguments = code[match.end():at - 1]
    return arguments, arguments.startswith("const Secret& ")


def environment_read_elsewhere(tree):
    for name, text in sources(tree):
        if name != "cli/system.cpp" and re.search(r"\b(?:secure_)?getenv\s*\(", code_only(text)):
            yield f"{name} reads the environment"


def other_ways_out(tree):
    """Nothing reaches another machine but through the API servers of the kubeconfig."""
    for name, text in sources(tree):
        code = code_only(text)
        for call in NETWORK_CALL.findall(code):
            if name not in OPENS_CONNECTIONS and not (name in RESOLVES_NAMES and "info" in call):
                yield f"{name} calls {call}, though only {', '.join(sorted(OPENS_CONNECTIONS))} opens connections"
        if re.search(r"\bmake_(?:easy|multi)\s*\(", code) and name not in USES_HANDLES | {"k8s/easy.h"}:
            yield f"{name} takes a handle of libcurl, which only {', '.join(sorted(USES_HANDLES))} may"
        for header, _ in includes(text):
            if header in NETWORK_HEADERS and name not in RESOLVES_NAMES:
                yield f"{name} includes <{header}>"


def todos_without_issue(tree):
    for name, text in sources(tree):
        for line_number, line in enumerate(text.splitlines(), start=1):
            if re.search(r"\b(?:TODO|FIXME|XXX)\b(?!\(#\d+\))", line):
                yield f"{name}:{line_number}: a TODO that names no issue"


RULES = (
    arrows_broken,
    includes_without_file,
    libraries_outside_their_rooms,
    libraries_in_headers,
    internal_headers_outside_their_room,
    effects_in_pure_rooms,
    reveals_without_purpose,
    planned_over_an_unknown,
    environment_read_elsewhere,
    other_ways_out,
    todos_without_issue,
)


class TheRepository(unittest.TestCase):
    def test_every_rule_holds(self):
        for rule in RULES:
            with self.subTest(rule=rule.__name__):
                self.assertEqual([], list(rule(REPOSITORY)))

    def test_every_room_has_sources_and_a_readme(self):
        seen = {room_of(name) for name, _ in sources(REPOSITORY)}
        self.assertEqual(set(ROOMS), seen)
        missing = [room for room in ROOMS if not (REPOSITORY / room / "README.md").is_file()]
        self.assertEqual([], missing)

    def test_the_exceptions_are_still_needed(self):
        for name in sorted(INTERNAL_HEADERS):
            text = (REPOSITORY / name).read_text(encoding="utf-8")
            self.assertTrue(any(library_of(h) for h, ours in includes(text) if not ours), name)


class TheRules(unittest.TestCase):
    """Each rule finds its violation in a tree that holds it, and nothing in its neighbour."""

    def violations(self, rule, files):
        with tempfile.TemporaryDirectory() as folder:
            tree = pathlib.Path(folder)
            for name, text in files.items():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                (tree / name).write_text(text, encoding="utf-8")
            return list(rule(tree))

    def test_an_arrow_against_the_stream_is_found(self):
        self.assertEqual(
            ['mesh/plan.cpp includes "k8s/http.h", but mesh may not know k8s'],
            self.violations(arrows_broken, {
                "mesh/plan.cpp": '#include "mesh/plan.h"\n#include "k8s/http.h"\n'}))

    def test_a_cycle_below_is_found(self):
        self.assertEqual(
            ['base/json.h includes "pki/key.h", but base may not know pki'],
            self.violations(arrows_broken, {"base/json.h": '  # include "pki/key.h"\n'}))

    def test_an_include_without_a_room_is_found(self):
        self.assertEqual(
            ['pki/a.cpp includes "a.h", which is not rooted in a room'],
            self.violations(arrows_broken, {"pki/a.cpp": '#include "a.h"\n'}))

    def test_an_include_of_nothing_is_found(self):
        self.assertEqual(
            ['pki/a.cpp includes "base/no.h", which does not exist'],
            self.violations(includes_without_file, {"pki/a.cpp": '#include "base/no.h"\n'}))

    def test_a_library_outside_its_room_is_found(self):
        self.assertEqual(
            ["k8s/a.cpp includes <botan/pk_keys.h>, which only pki/ may",
             "run/a.cpp includes <curl/curl.h>, which only k8s/ may",
             "cli/a.cpp includes <sqlite3.h>, which only ca/storage/sqlite.cpp may"],
            self.violations(libraries_outside_their_rooms, {
                "k8s/a.cpp": "#include <botan/pk_keys.h>\n#include <curl/curl.h>\n",
                "run/a.cpp": "#include <curl/curl.h>\n",
                "cli/a.cpp": "#include <sqlite3.h>\n#include <CLI/App.hpp>\n"}))

    def test_openssl_in_another_file_of_base_is_found(self):
        self.assertEqual(1, len(self.violations(libraries_outside_their_rooms, {
            "base/files.cpp": "#include <openssl/evp.h>\n",
            "base/secret.cpp": "#include <openssl/crypto.h>\n"})))

    def test_a_library_in_a_header_is_found(self):
        self.assertEqual(
            ["pki/key.h shows <openssl/evp.h> to everybody who includes it"],
            self.violations(libraries_in_headers, {
                "pki/key.h": "#include <openssl/evp.h>\n",
                "pki/handle.h": "#include <openssl/evp.h>\n",
                "pki/key.cpp": "#include <openssl/evp.h>\n"}))

    def test_an_internal_header_used_elsewhere_is_found(self):
        self.assertEqual(
            ['ca/a.cpp includes "pki/handle.h", which is internal to pki'],
            self.violations(internal_headers_outside_their_room, {
                "ca/a.cpp": '#include "pki/handle.h"\n',
                "pki/a.cpp": '#include "pki/handle.h"\n'}))

    def test_an_effect_in_a_pure_room_is_found(self):
        self.assertEqual(
            ["mesh/a.cpp includes base/files.h, though mesh has no effects",
             "mesh/a.cpp includes thread, though mesh has no effects",
             "profiles/a.cpp asks a clock"],
            sorted(self.violations(effects_in_pure_rooms, {
                "mesh/a.cpp": '#include "base/files.h"\n#include <thread>\n#include <chrono>\n',
                "profiles/a.cpp": "auto t = std::chrono::system_clock::now();  // clock::now()\n",
                "profiles/b.cpp": "// system_clock::now() is never called here\n",
                "run/a.cpp": "#include <thread>\n"})))

    def test_a_planner_that_takes_unknown_for_absent_is_found(self):
        self.assertEqual(
            ["mesh/plan_mesh.cpp takes what is unknown for absent"],
            self.violations(planned_over_an_unknown, {
                "mesh/plan_mesh.cpp": "auto* a = seen.twin.found(Unknown::kTold);",
                "mesh/plan_waits.cpp": "// Unknown::kTold\nseen.twin.found(unknowns);",
                "mesh/drift.cpp": "auto* a = seen.twin.found(Unknown::kTold);"}))

    def test_a_reveal_without_a_purpose_is_found(self):
        self.assertEqual(
            ["k8s/a.cpp: reveal(token) names no purpose",
             "k8s/a.cpp: reveal(f(token), why) names no purpose",
             'k8s/a.cpp: reveal(token, "") names no purpose'],
            self.violations(reveals_without_purpose, {
                "k8s/a.cpp": 'reveal(token); reveal(f(token), why); reveal(token, "");\n'
                             'reveal(f("a)", b), "the Authorization header");\n'
                             '// reveal(token)\n'}))

    def test_reading_the_environment_elsewhere_is_found(self):
        self.assertEqual(
            ["k8s/a.cpp reads the environment"],
            self.violations(environment_read_elsewhere, {
                "k8s/a.cpp": 'std::getenv("HOME");\n',
                "k8s/b.cpp": '// getenv("HOME") is not called here\n',
                "cli/system.cpp": 'std::getenv("HOME");\n'}))

    def test_another_way_out_is_found(self):
        self.assertEqual(
            ["k8s/b.cpp calls curl_easy_init, though only k8s/easy.cpp opens connections",
             "k8s/b.cpp takes a handle of libcurl, which only k8s/connection.cpp, k8s/easy.cpp, "
             "k8s/raw_connection.cpp, k8s/tcp_stream.cpp may",
             "run/a.cpp calls getaddrinfo, though only k8s/easy.cpp opens connections",
             "run/a.cpp calls connect, though only k8s/easy.cpp opens connections",
             "run/a.cpp includes <netdb.h>"],
            self.violations(other_ways_out, {
                "k8s/easy.cpp": "Easy make_easy() { return Easy(curl_easy_init()); }\n",
                "k8s/connection.cpp": "Easy easy = make_easy();\n",
                "k8s/b.cpp": "auto* a = curl_easy_init(); auto b = make_easy();\n",
                "run/a.cpp": "#include <netdb.h>\ngetaddrinfo(a, b, c, d); ::connect(fd, a, n);\n",
                "run/b.cpp": "pool.connect(); reconnect(); // connect()\n"}))

    def test_the_libraries_below_a_tunnel_stay_in_their_files(self):
        self.assertEqual(
            ["k8s/http.cpp includes <nghttp2/nghttp2.h>, which only k8s/grpc.cpp may",
             "k8s/tunnel.cpp includes <wslay/wslay.h>, which only k8s/web_socket.cpp may"],
            self.violations(libraries_outside_their_rooms, {
                "k8s/tunnel.cpp": "#include <wslay/wslay.h>\n",
                "k8s/http.cpp": "#include <nghttp2/nghttp2.h>\n",
                "k8s/grpc.cpp": "#include <nghttp2/nghttp2.h>\n"}))

    def test_a_todo_without_an_issue_is_found(self):
        self.assertEqual(
            ["ca/a.cpp:2: a TODO that names no issue"],
            self.violations(todos_without_issue, {
                "ca/a.cpp": "// TODO(#12): later\n// TODO: some day\n"}))

    def test_all_rules_find_nothing_in_a_sound_tree(self):
        for rule in RULES:
            with self.subTest(rule=rule.__name__):
                self.assertEqual([], self.violations(rule, {
                    "base/json.h": "#include <string>\n",
                    "mesh/plan.h": '#include "base/json.h"\n#include <vector>\n'}))


if __name__ == "__main__":
    unittest.main()
