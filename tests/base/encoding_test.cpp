#include "base/encoding.h"

#include "tests/support/matchers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace meshtrust::base {
namespace {

using test::FailsWith;

std::string decoded(std::string_view text) {
  const auto bytes = from_base64(text);
  return bytes ? std::string(as_text(*bytes)) : "(refused)";
}

/// What `from_base64` makes of a text, and why.
struct Base64Case {
  const char* name;
  std::string text;
  std::string decoded;
};

std::ostream& operator<<(std::ostream& out, const Base64Case& one) {
  return out << one.name;
}

class Base64 : public testing::TestWithParam<Base64Case> {};

TEST_P(Base64, IsReadAsKubernetesReadsIt) {
  EXPECT_EQ(decoded(GetParam().text), GetParam().decoded);
  const auto secret = secret_from_base64(GetParam().text);
  EXPECT_EQ(secret ? std::string(reveal(*secret, "test")) : "(refused)", GetParam().decoded)
      << "the secret form differs from the public one";
}

INSTANTIATE_TEST_SUITE_P(Texts,
                         Base64,
                         testing::Values(Base64Case{"Nothing", "", ""},
                                         Base64Case{"TwoPaddings", "Zg==", "f"},
                                         Base64Case{"OnePadding", "Zm8=", "fo"},
                                         Base64Case{"NoPaddingDue", "Zm9v", "foo"},
                                         Base64Case{"LineEndsInside", "Zm\n9v\r\nYg=\n=\n", "foob"},
                                         Base64Case{"OnlyLineEnds", "\r\n\n", ""},
                                         Base64Case{"AllBits", "/+/+", "\xff\xef\xfe"},
                                         Base64Case{"MissingPadding", "Zg", "(refused)"},
                                         Base64Case{"HalfThePadding", "Zg=", "(refused)"},
                                         Base64Case{"TooMuchPadding", "Zm9v=", "(refused)"},
                                         Base64Case{"OnlyPadding", "====", "(refused)"},
                                         Base64Case{"OneDigit", "Z===", "(refused)"},
                                         Base64Case{"DigitAfterPadding", "Zg==Zg==", "(refused)"},
                                         Base64Case{"DigitInsidePadding", "Zg=v", "(refused)"},
                                         Base64Case{"Blank", "Zm 9v", "(refused)"},
                                         Base64Case{"Tab", "Zm9v\t", "(refused)"},
                                         Base64Case{"UrlAlphabet", "-_-_", "(refused)"},
                                         Base64Case{"NulByte", std::string("Zm9\0", 4),
                                                    "(refused)"},
                                         Base64Case{"HighByte", "Zm9\xff", "(refused)"}),
                         [](const auto& one) { return std::string(one.param.name); });

TEST(Base64Encoding, AndDecodingAreInverse) {
  Bytes bytes;
  for (int size = 0; size < 300; ++size) {
    const std::string text = to_base64(bytes);
    EXPECT_EQ(text.size() % 4, 0U);
    EXPECT_EQ(from_base64(text).value(), bytes) << size << " bytes";
    Secret secret;
    append_base64(secret, bytes);
    EXPECT_EQ(reveal(secret, "test"), text);
    bytes.push_back(static_cast<std::uint8_t>(size * 7));
  }
}

TEST(Base64Encoding, IsAppendedToWhatTheSecretHolds) {
  Secret secret("key: ");
  append_base64(secret, as_bytes("foo"));
  EXPECT_EQ(reveal(secret, "test"), "key: Zm9v");
}

TEST(Base64Encoding, ItsErrorNeverQuotesTheText) {
  EXPECT_THAT(from_base64("c2VjcmV0!"),
              FailsWith(Code::kInvalidInput, "is not standard base64 with padding"));
  EXPECT_THAT(secret_from_base64("c2VjcmV0!"),
              FailsWith(Code::kInvalidInput, "is not standard base64 with padding"));
}

TEST(Hex, IsWrittenInLowerCaseAndReadInBoth) {
  EXPECT_EQ(to_hex(Bytes{0x00, 0x5f, 0xff}), "005fff");
  EXPECT_EQ(from_hex("005FfF").value(), (Bytes{0x00, 0x5f, 0xff}));
  EXPECT_EQ(from_hex("").value(), Bytes{});
}

TEST(Hex, RefusesWhatIsNoPairsOfDigits) {
  for (const char* text : {"0", "0g", "g0", "0x00", "00 00", "00\n", "005"}) {
    EXPECT_THAT(from_hex(text),
                FailsWith(Code::kInvalidInput, "is not an even number of hexadecimal digits"))
        << text;
  }
}

TEST(Sha256, IsThatOfTheStandard) {
  // FIPS 180-2, appendix B.1.
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(GroupHex, PutsABlankAfterEveryFourDigits) {
  EXPECT_EQ(group_hex("5f3a9c01ab"), "5f3a 9c01 ab");
  EXPECT_EQ(group_hex("5f3a"), "5f3a");
  EXPECT_EQ(group_hex(""), "");
}

}  // namespace
}  // namespace meshtrust::base
