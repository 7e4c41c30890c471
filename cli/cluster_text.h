#pragma once

#include "base/json.h"
#include "base/time.h"
#include "cli/exit_code.h"
#include "run/cluster_check.h"

#include <span>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// kDone when the cluster can be used; else why not: bad input, unreachable, not permitted.
ExitCode exit_code_of(const run::ClusterCheck& check);

/// A block for people: the verdict, then a fact a line.
std::string render_check(const run::ClusterCheck& check, base::Instant now);

/// An item of `kind: ClusterCheck`.
base::Json to_json(const run::ClusterCheck& check);

/// A context, and what tells its API server from others: address, proxy and server name.
struct ContextServer {
  std::string context;
  std::string server;
  std::string proxy_url = {};
  std::string tls_server_name = {};
};
/// A sentence for each server that several contexts lead to: one cluster is no two of a mesh.
std::vector<std::string> contexts_of_one_server(std::span<const ContextServer> contexts);

}  // namespace meshtrust::cli
