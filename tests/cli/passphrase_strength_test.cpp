#include "cli/passphrase_strength.h"

#include <gmock/gmock.h>

namespace meshtrust::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> weaknesses(std::string_view words) {
  const auto names = names_in("O=Shop,CN=Shop Mesh Root", "deep/shop.trust");
  return weaknesses_of(base::Secret(words), names);
}

TEST(PassphraseStrength, FindsNothingInSeveralWords) {
  for (const char* good :
       {"correct horse battery staple", "mist over the quay", "Zürich, früh um 5", "x7Kq0vT2mLw9",
        "48151623421083719402", "the shop on the corner"}) {
    EXPECT_THAT(weaknesses(good), IsEmpty()) << good;
  }
}

TEST(PassphraseStrength, NamesWhatIsEasyToGuess) {
  const std::string shorter = "shorter than 12 characters";
  const std::string few = "of fewer than 6 different characters";
  EXPECT_THAT(weaknesses("mist"), ElementsAre(shorter, few));
  EXPECT_THAT(weaknesses("über den Kai"), IsEmpty()) << "twelve characters, in more bytes";
  EXPECT_THAT(weaknesses("über dem Kä"), ElementsAre(shorter));
  EXPECT_THAT(weaknesses("abababababababab"), ElementsAre(few));
  EXPECT_THAT(weaknesses("8371940265817"), ElementsAre("digits alone"));
  EXPECT_THAT(weaknesses("12345678901234567890"), ElementsAre("a run of neighbours"));
  EXPECT_THAT(weaknesses("ponmlkjihgfedcba"), ElementsAre("a run of neighbours"));
  EXPECT_THAT(weaknesses("passwordPassword1"), ElementsAre("a common word with little around it"));
  for (const char* name : {"SHOP-shop-2026!!", "Shop Mesh Root 1"}) {
    EXPECT_THAT(weaknesses(name), ElementsAre("a name of this mesh with little around it")) << name;
  }
}

}  // namespace
}  // namespace meshtrust::cli
