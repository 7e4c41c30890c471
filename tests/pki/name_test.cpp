#include "pki/name.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

TEST(Name, ReadsAttributesInTheOrderOfEncoding) {
  const auto name = DistinguishedName::parse("O=Shop, OU=East = 1,CN=Root");
  EXPECT_FALSE(name);
  const auto good = DistinguishedName::parse(" O = Shop ,CN=Käse\\, Brot \\= gut \\\\o/");
  ASSERT_TRUE(good);
  EXPECT_EQ(good->attributes,
            (std::vector<NameAttribute>{{"O", "Shop"}, {"CN", "Käse, Brot = gut \\o/"}}));
}

TEST(Name, TextIsTheInverseOfParsing) {
  for (const std::string text :
       {"O=Shop,CN=Shop Mesh Root", "C=DE,ST=Bayern,L=München,O=A\\,B,OU=x\\=y,CN=back\\\\slash",
        "CN=a+b"}) {
    const auto name = DistinguishedName::parse(text);
    ASSERT_TRUE(name) << text;
    EXPECT_EQ(name->text(), text);
  }
}

struct BadName {
  std::string text;
  std::string message;
};

class BadNames : public ::testing::TestWithParam<BadName> {};

TEST_P(BadNames, AreRefusedWithTheReason) {
  const auto name = DistinguishedName::parse(GetParam().text);
  ASSERT_FALSE(name);
  EXPECT_EQ(name.error().code, base::Code::kInvalidInput);
  EXPECT_EQ(name.error().message, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Name,
    BadNames,
    ::testing::Values(
        BadName{"", "the name is empty"},
        BadName{"  ", "the name is empty"},
        BadName{"Shop", "found 'Shop' in a name, wanted TYPE=VALUE"},
        BadName{"O=Shop,", "found '' in a name, wanted TYPE=VALUE"},
        BadName{"O=", "'O' has no value"},
        BadName{"O=a=b", "two equals signs in one attribute of a name"},
        BadName{"O=a\\", "the name ends in a single backslash"},
        BadName{"O=a\\n",
                "a backslash in a name stands before a comma, an equals sign or a backslash, found "
                "'n'"},
        BadName{"DC=shop", "unknown attribute 'DC' in a name, wanted C, ST, L, O, OU or CN"},
        BadName{"o=shop", "unknown attribute 'o' in a name, wanted C, ST, L, O, OU or CN"},
        BadName{"C=de", "'de' is no country, wanted two capital letters such as 'DE'"},
        BadName{"C=DEU", "'DEU' is no country, wanted two capital letters such as 'DE'"},
        BadName{"CN=a\x1b[2J", "the value of 'CN' is not UTF-8 or holds control characters"},
        BadName{"CN=\xc3\x28", "the value of 'CN' is not UTF-8 or holds control characters"},
        BadName{
            "CN=" + std::string(65, 'x'),
            "the value of 'CN' has 65 characters, at most 64 are allowed (RFC 5280 appendix A.1)"},
        BadName{"L=" + std::string(129, 'x'),
                "the value of 'L' has 129 characters, at most 128 are allowed (RFC 5280 appendix "
                "A.1)"}));

TEST(Name, CountsCharactersAndNotBytes) {
  std::string umlauts;
  for (int i = 0; i < 64; ++i) {
    umlauts += "ä";
  }
  EXPECT_TRUE(DistinguishedName::parse("O=" + umlauts));
  EXPECT_FALSE(DistinguishedName::parse("O=" + umlauts + "ä"));
}

TEST(Name, ChecksWhatWasNotParsed) {
  const DistinguishedName name{{{"CN", " padded"}}};
  const auto status = name.check();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().message, "the value of 'CN' begins or ends with a blank");
}

}  // namespace
}  // namespace meshtrust::pki
