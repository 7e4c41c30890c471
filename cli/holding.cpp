#include "cli/holding.h"

#include <CLI/App.hpp>
#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::cli {
namespace {

using base::Code;
using base::Error;
using base::Errors;
using base::Result;

base::Cancellation& never() {
  static base::Cancellation cancellation;
  return cancellation;
}

/// Clients that Ctrl-C does not end, so that a run that ends early leaves no Lease behind. They
/// find the answers of plugins that ran before.
std::unique_ptr<run::Clusters> patient_clients(const Session& session, const MeshContext& context) {
  constexpr std::chrono::milliseconds kLongest{15'000};
  run::ClusterAccess access = context.access;
  access.client.call_timeout = std::min(access.client.call_timeout, kLongest);
  access.client.http.request_timeout = std::min(access.client.http.request_timeout, kLongest);
  k8s::ClientEffects effects{.clock = session.around.clock,
                             .random = session.around.random,
                             .files = session.around.files,
                             .processes = session.around.processes,
                             .cancellation = never(),
                             .plugins = context.plugins.get()};
  return std::make_unique<run::Clusters>(context.mesh, access, effects);
}

std::string describe_store(const MeshContext& context, const ca::TrustStore* store) {
  if (store == nullptr) return "no trust store";
  const auto root = store->root();
  const std::string which = root ? "root " + root->id : "no root yet";
  return fmt::format("store {} with {}", context.world->store.filename().string(), which);
}

run::LockHolder holder_of(const Session& session,
                          const MeshContext& context,
                          const ca::TrustStore* store) {
  const ledger::Who& who = context.world->who;
  return {.identity = fmt::format("{}@{}, pid {}, '{}', mesh {}, {}", who.user, who.host,
                                  session.around.process_id, who.command, context.mesh.name,
                                  describe_store(context, store)),
          .mesh = context.mesh.name,
          .process = session.around.process_table.self()};
}

Result<ca::StoreLock> lock_store(const Session& session,
                                 const MeshContext& context,
                                 ca::TrustStore& store,
                                 bool breaks) {
  auto lock =
      store.lock(ca::describe_holder(context.world->who, session.around.process_id, session.now()));
  if (lock || !breaks || lock.error().code != Code::kLocked) return lock;
  return base::fail(with_hint(std::move(lock).error(),
                              "--break-lock is for Leases of clusters: the lock of a store is held "
                              "by a living process and ends with it"));
}

base::Status note_broken(const MeshContext& context,
                         const Held& held,
                         ca::TrustStore* store,
                         const std::string& reason) {
  for (const run::BrokenLock& broken : held.leases->broken()) {
    if (store == nullptr) continue;
    ledger::Who who = context.world->who;
    who.reason = reason;
    MESHTRUST_TRY_DO(store->append(
        *held.store, who, ledger::LockBroken{.cluster = broken.cluster, .holder = broken.holder}));
  }
  return {};
}

}  // namespace

void declare_break_lock(CLI::App& app, std::string& reason) {
  app.add_option("--break-lock", reason,
                 "take over the Lease of another run that is no more, and note why in the ledger")
      ->check([](const std::string& text) -> std::string {
        const bool blank = text.find_first_not_of(" \t") == std::string::npos;
        return blank ? "a reason is needed, such as 'the pipeline's node is gone'" : "";
      })
      ->option_text("REASON");
}

Result<Held, Errors> hold(Session& session,
                          const MeshContext& context,
                          const mesh::Plan& plan,
                          ca::TrustStore* store,
                          const std::string& break_reason) {
  Held held;
  if (store != nullptr) {
    auto lock = lock_store(session, context, *store, !break_reason.empty());
    if (!lock) return base::fail(Errors{std::move(lock).error()});
    held.store.emplace(*std::move(lock));
  }
  held.clients = patient_clients(session, context);
  auto leases = run::ClusterLocks::take(
      plan, *held.clients, session.around.clock, session.around.process_table,
      holder_of(session, context, store), {.break_reason = break_reason});
  if (!leases) return base::fail(std::move(leases).error());
  held.leases = *std::move(leases);
  for (const run::BrokenLock& broken : held.leases->broken()) {
    session.console().warn(fmt::format("{}: took the lock from {}", broken.cluster, broken.holder));
  }
  if (auto noted = note_broken(context, held, store, break_reason); !noted) {
    return base::fail(Errors{std::move(noted).error()});
  }
  return held;
}

void clear_leases(Session& session,
                  const MeshContext& context,
                  const std::string& lease,
                  const std::vector<std::string>& clusters) {
  const auto clients = patient_clients(session, context);
  for (const Error& error : run::ClusterLocks::sweep(
           clusters, lease, *clients, session.around.clock, session.around.process_table,
           holder_of(session, context, nullptr))) {
    session.console().warn(
        fmt::format("{}; whether a lock was left there is not known", error.message));
  }
}

void let_go(Session& session, Held& held) {
  if (held.leases) {
    for (const Error& error : held.leases->release()) {
      session.console().warn(
          fmt::format("{}; this lock ends by itself within a minute", error.message));
    }
  }
  held.leases.reset();
  held.store.reset();
}

}  // namespace meshtrust::cli
