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

}  // namespace
}  // namespace meshtrust::pki
