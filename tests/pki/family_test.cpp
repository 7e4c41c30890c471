#include "pki/family.h"

#include "tests/pki/forge.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

using testing::forge;
using testing::forge_root;
using testing::Forgery;
using testing::Identity;
using testing::intermediate_forgery;

TEST(Family, FindsEachIssuerByItsSignatureAmongNamesakes) {
  const Identity first = forge_root();
  const Identity second = forge_root();
  const Identity east = forge(intermediate_forgery(), second);
  const Family family = find_family(
      std::vector{first.certificate, east.certificate, second.certificate, east.certificate});
  ASSERT_EQ(family.members.size(), 3U);
  EXPECT_THAT(family.place, ::testing::ElementsAre(0, 1, 2, 1));
  EXPECT_EQ(family.issuer_of(0), nullptr);
  ASSERT_NE(family.issuer_of(1), nullptr);
  EXPECT_EQ(*family.issuer_of(1), second.certificate);
}

TEST(Family, PutsACaOfItsIssuersNameBelowItsIssuer) {
  const Identity root = forge_root();
  const Identity namesake = forge(intermediate_forgery("O=Forge,CN=Root"), root);
  const Identity east = forge(intermediate_forgery(), namesake);
  const Family family =
      find_family(std::vector{east.certificate, namesake.certificate, root.certificate});
  ASSERT_NE(family.issuer_of(0), nullptr);
  EXPECT_EQ(*family.issuer_of(0), namesake.certificate);
  ASSERT_NE(family.issuer_of(1), nullptr);
  EXPECT_EQ(*family.issuer_of(1), root.certificate);
  EXPECT_EQ(family.issuer_of(2), nullptr);
}

TEST(Family, CutsTheRingOfTwoRootsThatCertifiedEachOther) {
  Forgery a;
  Forgery b;
  b.subject = "O=Forge,CN=Other";
  const Identity root_a = forge_root(a);
  const Identity root_b = forge_root(b);
  Forgery a_by_b = a;
  a_by_b.key = root_a.key;
  Forgery b_by_a = b;
  b_by_a.key = root_b.key;
  const Identity forward = forge(b_by_a, root_a);
  const Identity reverse = forge(a_by_b, root_b);
  const Family family = find_family(std::vector{forward.certificate, reverse.certificate});
  EXPECT_NE(family.issuer[0].has_value(), family.issuer[1].has_value());
}

}  // namespace
}  // namespace meshtrust::pki
