#pragma once

#include "ledger/hierarchy.h"
#include "tests/pki/forge.h"

#include <gtest/gtest.h>

#include <string>

namespace meshtrust::ledger {

using pki::testing::forge;
using pki::testing::forge_root;
using pki::testing::Forgery;
using pki::testing::Identity;
using pki::testing::intermediate_forgery;
using pki::testing::kNow;

inline Forgery root_called(const std::string& subject) {
  Forgery wanted;
  wanted.subject = subject;
  return wanted;
}

/// A CA that other CAs may stand below.
inline Forgery upper_called(const std::string& subject) {
  return intermediate_forgery(subject).with("basicConstraints", "critical,CA:TRUE");
}

/// Subject and key of `of`, below somebody else.
inline Forgery cross(const Identity& of) {
  Forgery wanted = upper_called(of.certificate.facts().subject);
  wanted.key = of.key;
  return wanted;
}

/// Root A, root B to follow it, what is below each, and B's bridge by A: B -> bridge -> A.
struct Scene {
  Identity a = forge_root(root_called("CN=A"));
  Identity b = forge_root(root_called("CN=B"));
  Identity bridge = forge(cross(b), a);
  Identity reverse = forge(cross(a), b);
  Identity issuing = forge(upper_called("CN=issuing"), b);
  Identity east = forge(intermediate_forgery("CN=east"), a);
  Identity west = forge(intermediate_forgery("CN=west"), b);
  Identity north = forge(intermediate_forgery("CN=north"), issuing);
};

/// Takes `event`, which may follow.
inline void take(Hierarchy& hierarchy, const Event& event) {
  const auto status = hierarchy.may_follow(event);
  ASSERT_TRUE(status) << status.error().message;
  hierarchy.take(event, kNow);
}

inline NextRootMinted next_root(const Identity& root, const Identity& before) {
  return {.certificate = root.certificate, .after = before.certificate.fingerprint()};
}

/// Both roots of `scene`, A current.
inline Hierarchy two_roots(const Scene& scene) {
  Hierarchy hierarchy;
  take(hierarchy, RootMinted{.certificate = scene.a.certificate});
  take(hierarchy, next_root(scene.b, scene.a));
  return hierarchy;
}

}  // namespace meshtrust::ledger
