#include "ca/signed_path.h"

#include "pki/chain.h"
#include "pki/lint.h"
#include "pki/verify.h"

#include <fmt/format.h>

namespace meshtrust::ca {

using base::Code;
using base::fail;
using base::Result;
using base::Status;
using pki::Certificate;

constexpr std::size_t kMostTiers = 8;

Result<SignedPath> path_of(const Certificate& certificate, std::span<const Certificate> papers) {
  SignedPath path{.chain = {certificate}, .roots = {}};
  while (path.chain.size() <= kMostTiers) {
    const Certificate* issuer = pki::find_issuer(path.chain.back(), papers);
    if (issuer == nullptr) {
      return fail(Code::kRefused,
                  fmt::format("the issuer of '{}', '{}', is not among the certificates given",
                              path.chain.back().facts().subject, path.chain.back().facts().issuer),
                  "give the certificates up to the root in one file");
    }
    if (issuer->is_self_signed()) {
      path.roots.push_back(*issuer);
      return path;
    }
    path.chain.push_back(*issuer);
  }
  return fail(Code::kRefused, "the chain to the root is too long");
}

Status check_is_authority(const Certificate& certificate, std::string_view what) {
  if (certificate.is_ca()) return {};
  const bool is_silent = !certificate.facts().basic_constraints;
  return fail(base::Error{
      .code = Code::kRefused,
      .message = fmt::format("{} is no CA ({}), signed as an ordinary certificate", what,
                             is_silent ? "no basicConstraints" : "basicConstraints CA:FALSE"),
      .hints = {"have it signed again by the signer's profile for a subordinate CA: CA:TRUE, "
                "keyCertSign and cRLSign, as the request asks for"}});
}

Status refuse_unsound(const SignedPath& path, base::Instant at) {
  const Certificate& own = path.chain.front();
  for (std::size_t i = 0; i < path.chain.size(); ++i) {
    const Certificate& one = path.chain[i];
    const Certificate& issuer = i + 1 < path.chain.size() ? path.chain[i + 1] : path.roots.front();
    for (const pki::LintFinding& finding : pki::lint({.certificate = one,
                                           .role = pki::LintRole::kIntermediate,
                                           .issuer = &issuer,
                                           .at = at})) {
      if (finding.severity != pki::Severity::kError) continue;
      return fail(Code::kRefused,
                  fmt::format("'{}' is no CA for a mesh: {} ({}, {})", one.facts().subject,
                              finding.message, finding.rule, finding.source));
    }
  }
  for (const pki::Verdict& verdict :
       pki::judge({.chain = path.chain, .roots = path.roots, .at = at})) {
    if (verdict.accepted) continue;
    return fail(Code::kRefused, fmt::format("{} does not accept '{}': {}", verdict.judge,
                                            own.facts().subject, verdict.reason));
  }
  return {};
}

}  // namespace meshtrust::ca
