#pragma once

#include "base/result.h"
#include "base/time.h"
#include "pki/certificate.h"

#include <span>
#include <string_view>
#include <vector>

// What somebody elsewhere has signed, and the way up from there. Internal to this room.

namespace meshtrust::ca {

/// A certificate and what is above it, without the root, which comes second.
struct SignedPath {
  std::vector<pki::Certificate> chain;
  std::vector<pki::Certificate> roots;
};

/// The way from `certificate` over `papers` to a self-signed root among them; kRefused when there
/// is none.
base::Result<SignedPath> path_of(const pki::Certificate& certificate,
                                 std::span<const pki::Certificate> papers);

/// kRefused when `certificate`, which is called `what`, is no CA. To be said first, because it is
/// what a signer makes of a request whose extensions it does not read.
base::Status check_is_authority(const pki::Certificate& certificate, std::string_view what);

/// kRefused when a CA of `path` is none for a mesh (lint), or a verifier does not accept it.
base::Status refuse_unsound(const SignedPath& path, base::Instant at);

}  // namespace meshtrust::ca
