#include "pki/inspect.h"
#include "tests/pki/forge.h"
#include "tests/support/matchers.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

using base::Code;
using ::testing::ElementsAre;
using testing::secret_fixture;

/// Says one word, and counts how often it was asked.
struct Person {
  std::string word;
  int asked = 0;

  AskPassphrase ask() {
    return [this](std::string_view) -> base::Result<base::Secret> {
      ++asked;
      return base::Secret(word);
    };
  }
};

std::vector<std::string> kinds_of(const std::vector<InspectedObject>& objects) {
  std::vector<std::string> kinds;
  for (const InspectedObject& object : objects) {
    kinds.push_back(object.source + " " + std::string(kind_of(object)));
  }
  return kinds;
}

TEST(Pkcs12, ShowsTheCertificateAndOfTheKeyItsKind) {
  Person person{.word = "fixture"};
  const auto objects = inspect("b", secret_fixture("objects/bundle.p12"), person.ask());
  ASSERT_THAT(objects, test::Succeeds());
  EXPECT_THAT(kinds_of(*objects), ElementsAre("b Certificate", "b#2 PrivateKey"));
  EXPECT_EQ(std::get<Certificate>(objects->front().what),
            certificates_from_pem(testing::fixture("objects/root.pem"))->front());
  const auto& key = std::get<PrivateKeyFacts>(objects->back().what);
  EXPECT_EQ(key.encoding + " " + key.key_type, "PKCS#12 rsa-2048");
  EXPECT_TRUE(key.encrypted);
  EXPECT_EQ(person.asked, 1);
}

TEST(Pkcs12, AsksNobodyWhereThePassphraseIsEmpty) {
  EXPECT_THAT(kinds_of(*inspect("b", secret_fixture("objects/bundle-empty.p12"))),
              ElementsAre("b Certificate", "b#2 PrivateKey"));
  EXPECT_THAT(inspect("b", secret_fixture("objects/bundle.p12")),
              test::FailsWith(Code::kUsage, "b needs a passphrase"));
}

TEST(Pkcs12, TellsAWrongPassphraseFromADamagedFile) {
  Person wrong{.word = "mist"};
  EXPECT_THAT(inspect("b", secret_fixture("objects/bundle.p12"), wrong.ask()),
              test::FailsWith(Code::kInvalidInput, "b: wrong passphrase"));

  // A byte of the structure around the encrypted parts: no passphrase would help.
  std::string bytes = testing::fixture("objects/bundle.p12");
  const std::size_t content_type = bytes.find("\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01", 60);
  ASSERT_NE(content_type, std::string::npos);
  bytes[content_type - 2] ^= 0x40;
  Person right{.word = "fixture"};
  const auto damaged = inspect("b", base::Secret(bytes), right.ask());
  ASSERT_FALSE(damaged);
  EXPECT_THAT(damaged.error().message, ::testing::Not(::testing::HasSubstr("wrong passphrase")));
  EXPECT_EQ(right.asked, 0);
}

TEST(Pkcs12, SaysThatWithoutAChecksumItCannotTell) {
  Person right{.word = "fixture"};
  EXPECT_THAT(inspect("b", secret_fixture("objects/bundle-no-mac.p12"), right.ask()),
              test::Succeeds());
  EXPECT_EQ(right.asked, 1);
  Person wrong{.word = "mist"};
  const auto opened = inspect("b", secret_fixture("objects/bundle-no-mac.p12"), wrong.ask());
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().hints,
              ElementsAre("the file has no checksum, so a wrong passphrase looks like damage"));
}

TEST(Pkcs12, NamesACipherThatIsGivenUp) {
  Person right{.word = "fixture"};
  EXPECT_THAT(inspect("b", secret_fixture("objects/bundle-rc2.p12"), right.ask()),
              test::FailsWith(Code::kInvalidInput,
                              "b: a part of the PKCS#12 file is encrypted with a cipher that is "
                              "given up (RC2)"));
}

}  // namespace
}  // namespace meshtrust::pki
