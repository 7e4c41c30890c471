#include "pki/pem.h"

#include <gmock/gmock.h>

namespace meshtrust::pki {
namespace {

constexpr std::string_view kTwo =
    "a comment\n"
    "-----BEGIN ONE-----\r\n"
    "AAEC\r\n"
    "-----END ONE-----\r\n"
    "more\n"
    "-----BEGIN TWO-----\n"
    "AwQ=  \n"
    "-----END TWO-----";

TEST(Pem, FindsBlocksBetweenOtherText) {
  const auto blocks = pem_blocks(kTwo);
  ASSERT_TRUE(blocks);
  ASSERT_EQ(blocks->size(), 2U);
  EXPECT_EQ((*blocks)[0].label, "ONE");
  EXPECT_EQ((*blocks)[0].line, 2);
  EXPECT_EQ(*decode((*blocks)[0]), (base::Bytes{0, 1, 2}));
  EXPECT_EQ((*blocks)[1].label, "TWO");
  EXPECT_EQ((*blocks)[1].line, 6);
}

TEST(Pem, ForgivesBlanksAtLineEndsInPublicAndSecretBlocks) {
  const auto blocks = pem_blocks(kTwo);
  ASSERT_TRUE(blocks);
  const PemBlock& block = blocks->back();
  EXPECT_EQ(*decode(block), (base::Bytes{3, 4}));
  const auto secret = decode_secret(block);
  ASSERT_TRUE(secret);
  EXPECT_THAT(base::reveal_bytes(*secret, "test"), ::testing::ElementsAre(3, 4));
}

TEST(Pem, SeesHeaders) {
  const auto blocks =
      pem_blocks("-----BEGIN K-----\nProc-Type: 4,ENCRYPTED\n\nAA==\n-----END K-----\n");
  ASSERT_TRUE(blocks);
  EXPECT_TRUE(blocks->front().has_headers);
}

TEST(Pem, RefusesBlocksThatDoNotEnd) {
  const auto cut = pem_blocks("x\n-----BEGIN A-----\nAAEC\n");
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().message, "pem block 'A' of line 2 has no end line");
  const auto other = pem_blocks("-----BEGIN A-----\nAAEC\n-----END B-----\n");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().message, "pem block 'A' of line 1 ends as 'B' in line 3");
  const auto nested = pem_blocks("-----BEGIN A-----\n-----BEGIN A-----\nAAEC\n-----END A-----\n");
  ASSERT_FALSE(nested);
  EXPECT_EQ(nested.error().message, "pem block 'A' of line 1 has no end line");
}

TEST(Pem, GoesOnBehindABlockThatDoesNotEnd) {
  const PemText found = scan_pem(
      "-----BEGIN A-----\nAAAA\n-----BEGIN B-----\nBBBB\n-----END B-----\n"
      "-----BEGIN C-----\nCCCC\n-----END D-----\n-----BEGIN E-----\nEEEE\n-----END E-----\n");
  ASSERT_EQ(found.blocks.size(), 2U);
  EXPECT_EQ(found.blocks[0].label, "B");
  EXPECT_EQ(found.blocks[0].line, 3);
  EXPECT_EQ(found.blocks[0].body, "BBBB\n");
  EXPECT_EQ(found.blocks[1].label, "E");
  EXPECT_EQ(found.blocks[1].line, 9);
  ASSERT_EQ(found.errors.size(), 2U);
  EXPECT_EQ(found.errors[0].message, "pem block 'A' of line 1 has no end line");
  EXPECT_EQ(found.errors[1].message, "pem block 'C' of line 6 ends as 'D' in line 8");
}

TEST(Pem, NeverQuotesWhatLostItsNewlines) {
  for (const char* text : {
           "-----BEGIN PRIVATE KEY-----MIGHAgEAMBMG-----END PRIVATE KEY-----\n",
           "-----BEGIN PRIVATE KEY-----MIGHAgEAMBMG-----END PRIVATE KEY-----\nMIGH\n",
           "-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----MIGHAgEAMBMG-----\n",
       }) {
    const PemText found = scan_pem(text);
    ASSERT_EQ(found.errors.size(), 1U) << text;
    EXPECT_THAT(found.errors.front().message, testing::StartsWith("pem block 'PRIVATE KEY' of "));
    EXPECT_THAT(found.errors.front().message, testing::Not(testing::HasSubstr("MIGH")));
  }
}

TEST(Pem, NeverQuotesABadBody) {
  const auto blocks =
      pem_blocks("-----BEGIN PRIVATE KEY-----\nse*ret\n-----END PRIVATE KEY-----\n");
  ASSERT_TRUE(blocks);
  const auto decoded = decode_secret(blocks->front());
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().message, "pem block 'PRIVATE KEY' of line 1 is not base64");
}

TEST(Pem, WritesLinesOf64ColumnsAndTheSameForSecrets) {
  for (const std::size_t size : {0U, 1U, 47U, 48U, 49U, 96U, 200U}) {
    const std::string bytes(size, 'x');
    const std::string pem = to_pem("X", base::as_bytes(bytes));
    EXPECT_EQ(base::reveal(to_secret_pem("X", base::Secret(bytes)), "test"), pem);
    const auto blocks = pem_blocks(pem);
    ASSERT_TRUE(blocks);
    EXPECT_EQ(base::as_text(*decode(blocks->front())), bytes);
  }
  EXPECT_EQ(to_pem("X", base::as_bytes(std::string(49, '\0'))),
            "-----BEGIN X-----\n" + std::string(64, 'A') + "\nAA==\n-----END X-----\n");
}

struct MarkerCase {
  std::string text;
  std::string found;  ///< number:line label, "first", "seen" or why not
};

TEST(Pem, FindsMarkersThatNoReaderSees) {
  const std::string block = "-----BEGIN ONE-----\nAAEC\n-----END ONE-----";
  for (const MarkerCase& one :
       {MarkerCase{block + "\n" + block + "\n", "1:1 ONE first; 2:4 ONE seen; "},
        MarkerCase{"\xEF\xBB\xBF" + block + "\n" + block,
                   "1:1 ONE a UTF-8 byte order mark stands before it; 2:4 ONE first; "},
        MarkerCase{"  " + block, "1:1 ONE its line is indented; "},
        MarkerCase{block + block, "1:1 ONE ; 2:3 ONE a newline is missing before it; "},
        MarkerCase{"key: " + block, "1:1 ONE it does not begin its line; "},
        MarkerCase{"-----BEGIN -----\n-----BEGIN", ""}}) {
    std::string found;
    for (const PemMarker& marker : find_markers(one.text)) {
      found += std::to_string(marker.number) + ":" + std::to_string(marker.line) + " " +
               std::string(marker.label) + " " +
               (marker.is_first_seen ? "first"
                : marker.is_seen     ? "seen"
                                     : marker.obstacle) +
               "; ";
    }
    EXPECT_EQ(found, one.found) << one.text;
  }
}

struct PublicCase {
  std::string text;
  std::string kept;
};

TEST(Pem, KeepsOfATextItsPublicPartAlone) {
  const auto block = [](const std::string& label, const std::string& body = "AAEC\n") {
    return "-----BEGIN " + label + "-----\n" + body + "-----END " + label + "-----\n";
  };
  const std::string certificate = block("CERTIFICATE");
  for (const PublicCase& one : {
           PublicCase{certificate + block("X509 CRL"), certificate + block("X509 CRL")},
           PublicCase{"words\n" + certificate + "pin: 1234\n", certificate},
           PublicCase{certificate + block("PRIVATE KEY"), certificate + block("PRIVATE KEY", "")},
           PublicCase{block("PKCS7") + certificate, block("PKCS7", "") + certificate},
           PublicCase{"\xEF\xBB\xBF" + certificate, "\xEF\xBB\xBF" + certificate},
           PublicCase{"  -----BEGIN PRIVATE KEY-----\n  AAEC\n  -----END PRIVATE KEY-----\n",
                      "  -----BEGIN PRIVATE KEY-----\n  -----END PRIVATE KEY-----\n"},
           PublicCase{"a=\"-----BEGIN PRIVATE KEY-----\\nAAEC\\n-----END PRIVATE KEY-----\\n\"",
                      "?-----BEGIN PRIVATE KEY-----?-----END PRIVATE KEY-----?"},
           PublicCase{"-----BEGIN CERTIFICATE----- AAEC\n-----END CERTIFICATE-----",
                      "-----BEGIN CERTIFICATE-----?\n-----END CERTIFICATE-----"},
           PublicCase{"-----BEGIN PRIVATE KEY-----\nAAEC\n", "-----BEGIN PRIVATE KEY-----\n"},
           PublicCase{"AAEC", "?\n"},
           PublicCase{" \n", ""},
       }) {
    EXPECT_EQ(public_part(one.text), one.kept) << one.text;
  }
}

}  // namespace
}  // namespace meshtrust::pki
