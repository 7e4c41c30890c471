"""Which cluster is what in a mesh, by the deployment models that mesh files know."""

from dataclasses import dataclass

from .report import EXIT_USAGE, RigError

MODELS = (
    "multi-primary",
    "primary-remote",
    "multi-primary-multi-network",
    "primary-remote-multi-network",
    "external-control-plane",
    "ambient-multi-network",
)
SYSTEM = "istio-system"
EXTERNAL = "external-istiod"


@dataclass(frozen=True)
class Member:
    name: str
    role: str  # primary, remote, external or config
    network: str
    managed_by: str = ""  # the cluster whose istiod a remote or config cluster uses


@dataclass(frozen=True)
class Blueprint:
    model: str
    namespace: str  # the system namespace of the mesh
    members: tuple
    mesh_id: str = "mesh1"

    def member(self, name):
        return next(one for one in self.members if one.name == name)

    def having(self, *roles):
        return [one for one in self.members if one.role in roles]

    def is_multi_network(self):
        return len({one.network for one in self.members if one.role != "external"}) > 1

    def is_ambient(self):
        return self.model == "ambient-multi-network"

    def has_eastwest_gateway(self, member):
        """Of several networks each has one; of one network that whose istiod remotes call."""
        if member.role == "external" or len(self.members) == 1:
            return False
        if self.is_multi_network():
            return self.model != "external-control-plane" or len(self.members) > 2
        return any(one.managed_by == member.name for one in self.members)

    def istiods(self):
        """(member, namespace) of every istiod of the mesh."""
        return [(one, self.namespace) for one in self.having("primary", "external")]

    def cluster_id(self, member):
        """What the istiod in `member` calls itself."""
        if member.role != "external":
            return member.name
        return next(one.name for one in self.having("config"))

    def known_to(self, member):
        """The names of the clusters that the istiod in `member` has to know, its own first."""
        own = self.cluster_id(member)
        if member.role == "external":
            others = self.having("remote")
        else:
            others = [one for one in self.having("primary", "remote")]
        return [own, *(one.name for one in others if one.name != own)]


def blueprint(model, names, namespace=None):
    """The mesh of that model with these clusters; the first has the istiod where not all have one."""
    if model not in MODELS:
        raise RigError(f"no model '{model}', wanted one of: {', '.join(MODELS)}", exit_code=EXIT_USAGE)
    if len(names) < 2:
        raise RigError(f"a mesh of model '{model}' wants two clusters or more", exit_code=EXIT_USAGE)
    networks = [f"network{1 if '-network' not in model else number}" for number in range(1, len(names) + 1)]
    (first, *others) = names
    if model == "external-control-plane":
        roles = ["config", *["remote"] * (len(others) - 1)]
        members = [Member(first, "external", "hub")] + [
            Member(name, role, f"network{number}", first)
            for number, (name, role) in enumerate(zip(others, roles), start=1)
        ]
        return Blueprint(model, namespace or EXTERNAL, tuple(members))
    is_remote = model.startswith("primary-remote")
    members = [Member(first, "primary", networks[0])] + [
        Member(name, "remote" if is_remote else "primary", network, first if is_remote else "")
        for name, network in zip(others, networks[1:])
    ]
    return Blueprint(model, namespace or SYSTEM, tuple(members))
