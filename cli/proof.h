#pragma once

#include "cli/exit_code.h"
#include "cli/mesh_proof.h"
#include "cli/session.h"
#include "mesh/check.h"
#include "mesh/samples.h"
#include "mesh/trust.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace meshtrust::cli {

/// Calls between sample workloads.
struct Traffic {
  std::size_t ways = 0;     ///< from a cluster to one that should answer it
  std::size_t proved = 0;   ///< of them, those that answers came by
  std::size_t untried = 0;  ///< of them, those on which no call could be made

  bool is_tried() const { return untried < ways; }
};
Traffic traffic_of(const mesh::SampleVerdict& verdict);

/// The proof that every workload will trust every other: all checks, all pairs. Where the mesh was
/// looked at and is begun, also that it works.
struct Proof {
  mesh::Answer answer;
  std::vector<mesh::PairVerdict> pairs;
  std::vector<Shown> conditions = {};  ///< of the mesh beyond its trust; none before it is begun
  mesh::Level level = mesh::Level::kTrust;                ///< how deeply was looked
  std::optional<std::vector<std::string>> clusters = {};  ///< only these are judged; else all
  std::optional<Traffic> traffic = {};                    ///< nothing where nobody asked for it

  bool holds() const;
  ExitCode exit_code() const;
  /// Leaves what concerns one of these clusters (or the mesh as a whole); all when empty.
  void keep(const std::vector<std::string>& wanted);
  /// Takes out the pairs and conditions of `cluster`, which was not looked at; why stays among
  /// what is unknown.
  void leave_out(const profiles::Mesh& mesh, const std::string& cluster);
};

Proof prove(const profiles::Mesh& mesh,
            const mesh::Observation& observation,
            base::Instant at,
            const mesh::BaseFiles& files = {});

/// Pairs, certificates and expiry, as people read it.
std::string render_proof(const profiles::Mesh& mesh,
                         const mesh::Observation& observation,
                         const Proof& proof,
                         base::Instant at);

/// The list `pairs` of a proof.
base::Json pairs_to_json(std::span<const mesh::PairVerdict> pairs);

/// `kind: Verification`.
base::Json proof_to_json(const profiles::Mesh& mesh,
                         const mesh::Observation& observation,
                         const Proof& proof,
                         base::Instant at);

/// "2028-11-20 (in 729 days)".
std::string expiry_text(base::Instant end, base::Instant now);

}  // namespace meshtrust::cli
