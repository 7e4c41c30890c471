"""Kubeconfigs for the comparison with kubectl: seeded, so that a failure can be made again."""

import json
import random

SCALARS = (
    "a", "east", '"quoted"', "'single'", "123", "1e3", "010", "0x1F", "yes", "no", "y", "off", "null", "~",
    "2024-01-01", "1.30", '"1.30"', "true", '"true"', "", "1_000", "0o7", ".5", "a b", "a:b", "a#b", "a #b",
    "https://10.0.0.1:6443", "https://[::1]:6443/path", "!!str 5", '!!int "5"', "grün", '"\\u00e9\\n"',
    "''", "-a", "@a", "%a", "`a", "*a", "&a a", "a: b", "? a", "- a", "{", "[a]", "{a: b}", "|-\n{i}a\n{i}b",
    ">-\n{i}a\n{i}b", "YWJj", '"YW\\nJj"', "YQ", "Y Q==", '"YQ=="', "a\tb", "\ta", "0", "-0", "+1", "<<",
)  # fmt: skip
FIELDS = {
    "cluster": (
        "server", "tls-server-name", "insecure-skip-tls-verify", "certificate-authority",
        "certificate-authority-data", "proxy-url", "disable-compression", "extensions", "Server", "unknown",
    ),
    "user": (
        "client-certificate", "client-certificate-data", "client-key", "client-key-data", "token", "tokenFile",
        "as", "as-uid", "as-groups", "as-user-extra", "username", "password", "auth-provider", "exec", "<<",
    ),
    "context": ("cluster", "user", "namespace", "extensions"),
}  # fmt: skip
LISTS = {"cluster": "clusters", "user": "users", "context": "contexts"}
NESTED = {
    "as-groups": "[a, {x}]",
    "as-user-extra": "{{k: [{x}], {x}: [v]}}",
    "auth-provider": "{{name: {x}, config: {{a: {x}}}}}",
    "exec": "{{apiVersion: client.authentication.k8s.io/v1beta1, command: {x}, args: [{x}], "
    "env: [{{name: {x}, value: b}}]}}",
    "extensions": "[{{name: {x}, extension: {{a: {x}, b: [{x}]}}}}]",
    "<<": "{{token: {x}, username: merged}}",
}
PLAIN = ("a", "b", "a b", "123", "1e3", "yes", '"yes"', "null", "2024-01-01", "0x10", "1.5", "~", '"1"')
USUAL = {
    "insecure-skip-tls-verify": ("true", "false", "yes"),
    "disable-compression": ("true", "off"),
    "certificate-authority-data": ("YWJj", "YQ=="),
    "client-certificate-data": ("YWJj", "YQ=="),
    "client-key-data": ("YWJj", "|\n{i}YWJj\n{i}ZGVm"),
}


class Generator:
    """One random kubeconfig after the other. `oddity` is how likely a value is an odd one."""

    def __init__(self, seed):
        self._random = random.Random(seed)

    def file(self):
        oddity = self._random.choice((0, 0, 0.02, 0.1))
        if self._random.random() < 0.1:
            return self._as_json()
        lines = self._maybe(("---",), 0.1) + self._maybe(("kind: Config", "apiVersion: v1"), 0.7)
        lines += self._maybe((f"current-context: {self._value(oddity, 2)}",), 0.6)
        for inner, outer in LISTS.items():
            if self._random.random() < 0.2:
                continue
            lines.append(f"{outer}:")
            for number in range(self._random.randint(1, 3)):
                name = f"n{number}" if self._random.random() > oddity else self._value(1, 4)
                lines += [f"- name: {name}", f"  {inner}:"]
                lines += [f"    {key}: {self._field(key, oddity)}" for key in self._some(FIELDS[inner])] or ["    {}"]
        lines += self._maybe(("preferences: {colors: true}",), 0.1)
        lines += self._maybe(("---", "current-context: other"), 0.1)
        end = self._random.choice(("\n", "\n", "\r\n"))
        return self._random.choice(("", "", "", "\ufeff")) + end.join("\n".join(lines).split("\n")) + end

    def _as_json(self):
        entry = {"name": "j", "cluster": {"server": self._random.choice(("https://j", 'q"\\/é', ""))}}
        return json.dumps({"clusters": [entry], "current-context": "j"}, indent=self._random.choice((None, 2, "\t")))

    def _field(self, key, oddity):
        if self._random.random() < oddity:
            return self._value(1, 6)
        if key in NESTED:
            return NESTED[key].format(x=self._random.choice(PLAIN if oddity else ("a", "b", '"c d"')))
        if key in USUAL:
            return self._random.choice(USUAL[key]).format(i=" " * 6)
        return self._random.choice(("a", "b/c", '"d e"', "./f", "~/g", "https://h:6443"))

    def _value(self, oddity, indent):
        if self._random.random() >= oddity:
            return self._random.choice(("a", "b", '"c"'))
        text = self._random.choice(SCALARS)
        return text.replace("{i}", " " * indent)

    def _some(self, keys):
        chosen = [key for key in keys if self._random.random() < 0.4]
        if chosen and self._random.random() < 0.1:
            chosen.append(chosen[0])
        return chosen

    def _maybe(self, lines, chance):
        return list(lines) if self._random.random() < chance else []
