#include "pki/stand_in.h"

#include "pki/verify.h"
#include "tests/pki/forge.h"

#include <gtest/gtest.h>

namespace meshtrust::pki {
namespace {

using namespace testing;

TEST(StandIn, SaysWhatTheOriginalSaysForAnotherKey) {
  const Identity root = forge_root();
  const Certificate original = forge(intermediate_forgery(), root).certificate;
  const auto above = stand_in_for(root.certificate, nullptr);
  ASSERT_TRUE(above);
  const auto stand_in = stand_in_for(original, &*above);
  ASSERT_TRUE(stand_in);
  const CertificateFacts& is = stand_in->certificate.facts();
  const CertificateFacts& was = original.facts();
  EXPECT_EQ(is.subject_der, was.subject_der);
  EXPECT_EQ(is.issuer_der, was.issuer_der);
  EXPECT_EQ(is.serial, was.serial);
  EXPECT_EQ(is.not_before, was.not_before);
  EXPECT_EQ(is.not_after, was.not_after);
  EXPECT_EQ(is.subject_key_id, was.subject_key_id);
  EXPECT_EQ(is.authority_key_id, was.authority_key_id);
  EXPECT_EQ(is.key_type, was.key_type);
  EXPECT_NE(is.key_id, was.key_id);
  EXPECT_EQ(key_id(stand_in->key.public_key()), is.key_id);
}

TEST(StandIn, IsBelievedBelowTheStandInOfItsIssuerAndNowhereElse) {
  const Identity root = forge_root();
  const Certificate original = forge(intermediate_forgery(), root).certificate;
  const auto above = stand_in_for(root.certificate, nullptr);
  ASSERT_TRUE(above);
  EXPECT_TRUE(above->certificate.is_self_signed());
  const auto stand_in = stand_in_for(original, &*above);
  ASSERT_TRUE(stand_in);
  EXPECT_TRUE(all_accept(
      judge({.chain = {stand_in->certificate}, .roots = {above->certificate}, .at = kNow})));
  EXPECT_FALSE(all_accept(
      judge({.chain = {stand_in->certificate}, .roots = {root.certificate}, .at = kNow})));
  EXPECT_FALSE(all_accept(judge({.chain = {original}, .roots = {above->certificate}, .at = kNow})));
}

TEST(StandIn, IsOfTheSameKindOfKeyOrNone) {
  Forgery p384;
  p384.key = ec_key("P-384");
  const auto stand_in = stand_in_for(forge_root(p384).certificate, nullptr);
  ASSERT_TRUE(stand_in);
  EXPECT_EQ(stand_in->certificate.facts().key_type, "ecdsa-p384");
  EXPECT_EQ(stand_in->certificate.facts().signature_algorithm, "ecdsa-with-SHA384");

  Forgery ed25519;
  ed25519.key = ed25519_key();
  const auto none = stand_in_for(forge_root(ed25519).certificate, nullptr);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, base::Code::kInvalidInput);
}

}  // namespace
}  // namespace meshtrust::pki
