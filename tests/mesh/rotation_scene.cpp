#include "tests/mesh/rotation_scene.h"

namespace meshtrust::mesh::rotation::testing {
namespace {

using pki::testing::Forgery;
using pki::testing::Identity;

Forgery root_forgery(const std::string& subject, const RootsWanted& wanted) {
  Forgery forgery;
  forgery.subject = subject;
  forgery.key = pki::testing::ec_key();
  if (!wanted.has_key_identifiers) forgery.with("subjectKeyIdentifier", "");
  return forgery;
}

/// `subject`'s name and key, by `issuer`.
pki::Certificate bridge_to(const Identity& subject,
                           const std::string& name,
                           const Identity& issuer,
                           const RootsWanted& wanted) {
  Forgery forgery = root_forgery(name, wanted);
  forgery.key = subject.key;
  forgery.not_after = wanted.bridge_until;
  forgery.with("basicConstraints", wanted.bridge_basic_constraints);
  if (wanted.has_key_identifiers) forgery.with("authorityKeyIdentifier", "keyid:always");
  return forge(forgery, issuer).certificate;
}

}  // namespace

Roots make_roots(const RootsWanted& wanted) {
  const std::string old_name = "O=Shop,OU=root one,CN=Shop Mesh Root";
  const std::string new_name =
      wanted.new_root_has_old_name ? old_name : "O=Shop,OU=root two,CN=Shop Mesh Root";
  Forgery first = root_forgery(old_name, wanted);
  first.not_after = wanted.old_root_until;
  first.with("basicConstraints", wanted.old_root_basic_constraints);
  const Identity old_root = forge_root(first);
  const Identity new_root = forge_root(root_forgery(new_name, wanted));
  return {.old_root = old_root,
          .new_root = new_root,
          .forward = bridge_to(new_root, new_name, old_root, wanted),
          .reverse = bridge_to(old_root, old_name, new_root, wanted)};
}

Identity make_intermediate(const std::string& name, const Identity& root) {
  Forgery forgery = pki::testing::intermediate_forgery("O=Shop,CN=" + name);
  forgery.key = pki::testing::ec_key();
  if (!root.certificate.facts().subject_key_id) {
    forgery.with("authorityKeyIdentifier", "").with("subjectKeyIdentifier", "");
  }
  return forge(forgery, root);
}

TrustBundle first_bundle(const pki::Certificate& intermediate, const pki::Certificate& root) {
  return {.files = {.ca_cert = intermediate.pem(),
                    .cert_chain = intermediate.pem(),
                    .root_cert = root.pem()},
          .parsed = {.ca_cert = intermediate, .cert_chain = {intermediate}, .roots = {root}}};
}

NextRoot rotation_of(const std::vector<std::string>& clusters,
                     const Roots& roots,
                     Strategy strategy,
                     const Circumstances& circumstances) {
  NextRoot next{
      .strategy = strategy, .root = roots.new_root.certificate, .bridge = {}, .issuers = {}};
  if (strategy == Strategy::kBridge) next.bridge = {roots.forward};
  if (strategy == Strategy::kReverse) next.bridge = {roots.reverse};
  for (const std::string& name : clusters) {
    const pki::Certificate now = make_intermediate(name + " one", roots.old_root).certificate;
    next.issuers.push_back(
        {.cluster = name,
         .now = first_bundle(now, roots.old_root.certificate),
         .circumstances = circumstances,
         .chain = {make_intermediate(name + " two", roots.new_root).certificate}});
  }
  return next;
}

}  // namespace meshtrust::mesh::rotation::testing
