"""What each subcommand does. Every function returns the exit code."""

import json
import os
import shlex
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from urllib.parse import quote

from . import build as builder
from . import calls as callers
from . import images, inotify, machine, namespace, podinit
from . import samples as workloads
from .blueprint import blueprint
from .cluster import Wish
from .files import private_folder
from .hand import Builder, Hand
from .podnode import Pods
from .programs import choose_programs
from .report import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE, RigError, from_os, print_error, progress
from .state import State


def build(options):
    words = options.programs or [builder.KUBERNETES.name]
    wanted = [program for word in words for program in builder.programs_called(word)]
    for program in dict.fromkeys(wanted):
        print(builder.build(program), flush=True)
    if "pods" in words:
        machine.require_packages()  # which are what is left for a person to do
    return 0


def which(options):
    print(builder.path_of(options.program))
    return 0


def can(options):
    """Answers before anything is built or started."""
    if options.pods:
        machine.require_packages()
        machine.require_abilities()
        print("this machine can run pods: it has the programs, and allows mounts, namespaces and control groups")
    else:
        namespace.require()
        print("this machine can hold whole meshes: it allows network and mount namespaces")
    return 0


def up(options):
    _refuse_contradictions(options)
    state = State(options.state)
    clusters = [state.cluster(name) for name in dict.fromkeys(options.names)]
    mesh = blueprint(options.mesh, [one.name for one in clusters]) if options.mesh else None
    # Fetched out here, for inside of a namespace there is no network.
    gateway_api = builder.gateway_api_folder() if mesh and mesh.is_ambient() else None
    if options.pods or state.namespace.has_nodes():
        machine.require_packages()
        machine.require_abilities()
        for program in builder.SETS["pods"]:
            builder.build(program)
        images.make(options.workload_ttl)
    if options.netns or options.pods or mesh:
        _make_namespace(state, _kind_of_namespace(options, mesh))
    state.namespace.enter()
    with state.locked():
        to_start = [cluster for cluster in clusters if not _runs_already(cluster, options)]
        try:
            are_up = _start_all(state, to_start, options)
        finally:
            state.refresh()
    if not are_up:
        return EXIT_FAILED
    if mesh:
        _make_mesh(state, mesh, gateway_api)
    if options.samples:
        _make_samples(state, [one.name for one in mesh.members if one.role != "external"])
    print(f"kubeconfig: {state.kubeconfig}")
    if state.namespace.exists():
        print(f"next: {_this_program(options)} exec kubectl --context {clusters[0].name} get pods -A")
    else:
        print(f'next: eval "$({_this_program(options)} env)"')
    return 0


def _make_mesh(state, mesh, gateway_api):
    """With the programs that were built; the key of its root lies in the state folder."""
    started = time.monotonic()
    environment = _environment(state.kubeconfig)
    hand = Hand(environment=environment, say=lambda line: progress(f"$ {line}"))
    Builder(hand, mesh, private_folder(state.folder / "mesh"), gateway_api).build()
    print(f"mesh: {mesh.model} of {', '.join(one.name for one in mesh.members)}, ", end="")
    print(f"{len(hand.commands)} commands in {time.monotonic() - started:.1f} s", flush=True)


def _make_samples(state, clusters):
    started = time.monotonic()
    workloads.make(Hand(environment=_environment(state.kubeconfig)), clusters)
    print(f"samples: every way between {', '.join(clusters)} in {time.monotonic() - started:.1f} s", flush=True)


def samples(options):
    state = State(options.state)
    _merged_kubeconfig(options)
    state.namespace.enter()
    names = [state.started_cluster(name).name for name in options.names]
    _make_samples(state, names or [cluster.name for cluster in state.all_clusters()])
    return 0


def calls(options):
    state = State(options.state)
    variables = _environment(_merged_kubeconfig(options))
    state.namespace.enter()
    caller = callers.Calls(_clusters_with_samples(state), variables)
    if not options.stop:
        caller.start()
    if options.seconds is None and not options.stop:
        print("calling, until 'rig calls --stop' tells what came of it")
        return 0
    code = 0
    try:
        time.sleep(options.seconds or 0)
    except KeyboardInterrupt:
        code = EXIT_INTERRUPTED  # and still with the counts so far
    ways = caller.stop()
    print(json.dumps(callers.as_json(ways)) if options.output == "json" else callers.as_text(ways))
    return code


def _clusters_with_samples(state):
    path = f"/apis/apps/v1/namespaces/{workloads.NAMESPACE}/deployments/curl"
    found = [one.name for one in state.all_clusters() if one.probe().get(path)[0] == 200]
    if not found:
        raise RigError("no cluster has samples", "'rig samples' makes them, or 'rig up --pods --mesh MODEL --samples'")
    return found


def down(options):
    state = State(options.state)
    if not state.folder.exists():
        progress(f"nothing to stop in '{state.folder}'")
        return 0
    with state.locked():
        known = {cluster.name: cluster for cluster in state.all_clusters()}
        names = options.names or list(known)
        if not names:
            progress(f"nothing to stop in '{state.folder}'")
        for name in names:
            if state.cluster(name).name not in known:
                progress(f"{name}: no such cluster, nothing to stop")
        doomed = [known[name] for name in dict.fromkeys(names) if name in known]
        with ThreadPoolExecutor(max_workers=max(1, len(doomed))) as pool:
            for cluster, _ in zip(doomed, pool.map(lambda one: one.remove(), doomed)):
                print(f"{cluster.name}: stopped", flush=True)
        state.refresh()
    return 0


def status(options):
    state = State(options.state)
    state.namespace.enter()
    clusters = state.all_clusters()
    if not clusters:
        progress(f"no clusters in '{state.folder}'")
    for cluster in clusters:
        wrong = cluster.what_is_wrong()
        if wrong is not None:
            print(f"{cluster.name}: broken: {wrong}")
            continue
        record = cluster.record()
        servers = ", ".join(f"{one.server} {one.pid}" for one in record.processes)
        print(f"{cluster.name}: running at {record.server} ({servers})")
    return 0


def env(options):
    print(f"export KUBECONFIG={shlex.quote(str(_merged_kubeconfig(options)))}")
    if folders := _program_folders():
        print(f'export PATH={shlex.quote(folders)}:"$PATH"')
    return 0


def exec_(options):
    """Becomes the command: its exit code is the rig's."""
    state = State(options.state)
    state.namespace.enter()
    variables = _environment(_merged_kubeconfig(options))
    command = options.command[1:] if options.command[0] == "--" else options.command
    try:
        os.execvpe(command[0], command, variables)
    except FileNotFoundError as error:
        raise RigError(f"no program '{command[0]}' on PATH", "'rig build' makes programs") from error


def kubeconfig(options):
    if options.name is None:
        print(_merged_kubeconfig(options))
    else:
        print(State(options.state).started_cluster(options.name).layout.kubeconfig)
    return 0


def audit(options):
    print(State(options.state).started_cluster(options.name).layout.audit_log)
    return 0


def user(options):
    state = State(options.state)
    with state.locked():
        cluster = state.started_cluster(options.name)
        users = cluster.layout.users
        # Numbered: a second certificate for the same user must not overwrite one that is in use.
        number = len(list(users.iterdir())) + 1
        path = users / f"{quote(options.user, safe='')}.{number}.kubeconfig"
        cluster.add_user(options.user, options.group, options.lifetime, path)
    print(path)
    return 0


def _refuse_contradictions(options):
    for given, option in (
        (options.flat, "--flat"),
        (options.workload_ttl, "--workload-ttl"),
        (options.samples, "--samples"),
    ):
        if given and not options.pods:
            raise RigError(f"{option} is of no use without --pods", exit_code=EXIT_USAGE)
    if options.samples and not options.mesh:
        raise RigError("--samples want a mesh", "--mesh MODEL, or 'rig samples' later", exit_code=EXIT_USAGE)
    if options.pods and options.mesh and options.mesh.startswith("ambient"):
        raise RigError("no ambient mesh with --pods: there is no ztunnel to make an image of", exit_code=EXIT_USAGE)
    if options.pods and Path(options.state).resolve().is_relative_to(podinit.HIDDEN):
        raise RigError(
            f"no --pods with the state in '{options.state}': nodes do not see '{podinit.HIDDEN}'",
            "give another --state",
            exit_code=EXIT_USAGE,
        )
    if options.pods and options.istiod:
        raise RigError("--istiod is for clusters without pods", "'--mesh MODEL' with --pods", exit_code=EXIT_USAGE)


def _kind_of_namespace(options, mesh):
    if not options.pods:
        return namespace.PLAIN
    is_one_network = mesh is not None and not mesh.is_multi_network()
    return namespace.FLAT if options.flat or is_one_network else namespace.NODES


def _make_namespace(state, kind):
    with state.locked():
        if state.namespace.exists():
            if kind not in (namespace.PLAIN, state.namespace.kind()):
                raise RigError(
                    f"'{state.folder}' has clusters of another kind: {state.namespace.kind()}, wanted {kind}",
                    "'rig down' first, or give another --state",
                )
            return
        if found := state.all_clusters():
            raise RigError(
                f"'{state.folder}' has clusters outside of a network namespace: {found[0].name}",
                "'rig down' first, or give another --state",
            )
        state.namespace.create(kind)


def _runs_already(cluster, options):
    """True to leave the cluster alone. What is left of a broken one is removed here."""
    if not cluster.layout.folder.exists():
        return False
    wrong = cluster.what_is_wrong()
    if wrong is None:
        record = cluster.record()
        for wanted, found, option in (
            (options.node, record.has_node, "--node"),
            (options.istiod, record.has_istiod, "--istiod"),
            (options.pods, record.has_pods, "--pods"),
        ):
            if wanted and not found:
                raise RigError(
                    f"cluster '{cluster.name}' runs already, and was started without {option}",
                    f"'rig down {cluster.name}' first: all that is in it will be gone",
                )
        print(f"{cluster.name}: already running at {record.server}", flush=True)
        return True
    progress(f"{cluster.name}: {wrong}; removing what is left and starting anew")
    cluster.remove()
    return False


def _start_all(state, clusters, options):
    """Starts them side by side; False when one failed. An interruption removes them all again."""
    if not clusters:
        return True
    in_namespace = state.namespace.exists()
    with_pods = state.namespace.has_nodes()
    chosen = choose_programs(options.node or options.istiod or in_namespace, with_pods)
    pods = None
    if with_pods:
        pods = Pods(state.namespace.kind() == namespace.FLAT, images.make(options.workload_ttl))
        inotify.raise_limit(state.namespace.file)
    state.make_room()
    stop = threading.Event()
    wish = Wish(chosen, options.timeout, options.istiod, in_namespace, pods, stop)
    with ThreadPoolExecutor(max_workers=len(clusters)) as pool:
        try:
            starts = {pool.submit(cluster.start, wish): cluster for cluster in clusters}
            return all([_report_start(start, starts[start]) for start in as_completed(starts)])
        except KeyboardInterrupt:
            for which in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(which, signal.SIG_IGN)  # a second Ctrl-C must not cut the cleaning short
            progress("interrupted: stopping what was started")
            stop.set()
    for cluster in clusters:  # the pool has ended: nobody starts anything any more
        cluster.remove()
    raise KeyboardInterrupt


def _report_start(start, cluster):
    try:
        seconds = start.result()
    except RigError as error:
        print_error(error)
        return False
    except OSError as error:
        print_error(from_os(error))
        return False
    print(f"{cluster.name}: ready in {seconds:.1f} s at {cluster.record().server}", flush=True)
    return True


def _merged_kubeconfig(options):
    path = State(options.state).kubeconfig
    if not path.exists():
        raise RigError(f"no cluster runs in '{path.parent}'", "'rig up east west' starts two")
    return path


def _environment(kubeconfig):
    variables = os.environ | {"KUBECONFIG": str(kubeconfig)}
    variables["PATH"] = ":".join(filter(None, (_program_folders(), os.environ.get("PATH"))))
    return variables


def _program_folders():
    """Of all that was built, as PATH has them."""
    return ":".join(map(str, builder.built_folders()))


def _this_program(options):
    """How the user called the rig, to be called again."""
    words = [sys.argv[0]]
    if options.state_option is not None:
        words += ["--state", options.state_option]
    return shlex.join(words)
