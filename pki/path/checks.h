#pragma once

#include "pki/path/chain_question.h"

#include <optional>
#include <span>

// The checks that a certificate meets at its place, for any verifier (inside).

namespace meshtrust::pki {

/// A path under construction: the leaf first.
using Path = std::vector<const PathCertificate*>;

/// What is wrong with `certificate` in itself and at its time, when it stands at `role`.
std::optional<PathFailure> check_alone(const PathCertificate& certificate,
                                       Role role,
                                       std::size_t depth,
                                       base::Instant at,
                                       const Rules& rules);

/// Whether a verifier can read `certificate` at all, whatever it would then make of it.
bool is_readable(const PathCertificate& certificate, Role role, const Rules& rules);

/// Whether `issuer` may stand above `below` (its CA flag, key usage, path length).
std::optional<PathFailure> check_as_issuer(const PathCertificate& issuer,
                                           Role role,
                                           const Path& below,
                                           const Rules& rules);

/// Extended key usages of a whole path, `path.back()` being its last certificate so far, of which
/// those from `untrusted` on are anchors.
std::optional<PathFailure> check_usages(const Path& path,
                                        std::size_t untrusted,
                                        Purpose purpose,
                                        const Rules& rules);

/// Whether the key usage of the leaf allows what `purpose` does with its key.
std::optional<PathFailure> check_leaf_usage(const PathCertificate& leaf,
                                            Purpose purpose,
                                            Role role,
                                            const Rules& rules);

/// What the leaf alone is asked: its key usage and its names.
std::vector<PathFailure> check_leaf(const PathCertificate& leaf,
                                    const ChainQuestion& question,
                                    Purpose purpose,
                                    Role role,
                                    const Rules& rules);

/// Whether the algorithm of `child`'s signature is one that is verified with `issuer`'s key.
std::optional<PathFailure> check_algorithm(const PathCertificate& child,
                                           Role child_role,
                                           std::size_t child_depth,
                                           const PathCertificate& issuer,
                                           const Rules& rules);

/// Whether key identifier, serial and issuer in `child`'s AKI are `issuer`'s own.
bool identifiers_agree(const PathFacts& child, const PathFacts& issuer);

/// Self-issued, with identifiers that agree, and allowed to sign.
bool looks_self_signed(const PathFacts& certificate);

PathFailure failure_of(Check check,
                       const PathCertificate& certificate,
                       Role role,
                       std::size_t depth,
                       std::string found = {},
                       std::string wanted = {});

/// The role of the certificate at `depth` in a path of which those from `untrusted` on are anchors.
inline Role role_below(std::size_t depth, std::size_t untrusted) {
  if (depth >= untrusted) return Role::kAnchor;
  return depth == 0 ? Role::kLeaf : Role::kIntermediate;
}

/// The role of the certificate at `depth` in a path of `size` certificates.
inline Role role_at(std::size_t depth, std::size_t size, bool ends_in_anchor) {
  return role_below(depth, ends_in_anchor ? size - 1 : size);
}

}  // namespace meshtrust::pki
