#include "base/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <type_traits>
#include <utility>

namespace meshtrust::base {
namespace {

// What must not compile: copies made by accident, comparison that leaks its time.
static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

template <class T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
static_assert(!Comparable<Secret>);

template <class T>
concept Streamable = requires(std::ostream& out, const T& value) {
  out << value;
};
static_assert(!Streamable<Secret>);

std::string shown(const Secret& secret) {
  return std::string(reveal(secret, "test"));
}

TEST(Secret, HoldsWhatItWasGiven) {
  const Secret secret(std::string_view("a\0b", 3));
  EXPECT_EQ(secret.size(), 3U);
  EXPECT_EQ(shown(secret), std::string("a\0b", 3));
  EXPECT_EQ(reveal_bytes(secret, "test").size(), 3U);
}

TEST(Secret, IsEmptyAtFirst) {
  const Secret secret;
  EXPECT_TRUE(secret.empty());
  EXPECT_EQ(shown(secret), "");
  EXPECT_EQ(shown(secret.clone()), "");
}

TEST(Secret, LeavesNothingBehindWhenItMoves) {
  Secret from("passphrase");
  Secret to(std::move(from));
  EXPECT_EQ(shown(to), "passphrase");
  EXPECT_TRUE(from.empty());  // NOLINT(bugprone-use-after-move): that is the promise

  Secret other("older");
  other = std::move(to);
  EXPECT_EQ(shown(other), "passphrase");
  EXPECT_TRUE(to.empty());  // NOLINT(bugprone-use-after-move)
}

TEST(Secret, GrowsByAppending) {
  Secret secret;
  std::string expected;
  for (int i = 0; i < 1000; ++i) {
    secret.append(std::to_string(i));
    expected += std::to_string(i);
  }
  EXPECT_EQ(shown(secret), expected);
  const Secret tail("tail");
  secret.append(tail);
  EXPECT_EQ(shown(secret), expected + "tail");
}

TEST(Secret, CanBeAppendedToItself) {
  Secret secret(std::string(60, 'x'));
  secret.append(secret);
  EXPECT_EQ(shown(secret), std::string(120, 'x'));
}

TEST(Secret, WipesWhatItIsShortenedBy) {
  Secret secret("passphrase");
  const std::uint8_t* memory = secret.writable().data();
  secret.truncate(4);
  EXPECT_EQ(shown(secret), "pass");
  EXPECT_TRUE(std::all_of(memory + 4, memory + 10, [](std::uint8_t byte) { return byte == 0; }));
  secret.truncate(100);
  EXPECT_EQ(shown(secret), "pass") << "truncate never lengthens";
}

TEST(Secret, IsZeroUntilFilled) {
  Secret secret = Secret::of_size(3);
  EXPECT_EQ(shown(secret), std::string(3, '\0'));
  secret.writable()[1] = 'x';
  EXPECT_EQ(shown(secret), std::string("\0x\0", 3));
  EXPECT_TRUE(Secret::of_size(0).empty());
}

TEST(Secret, IsEmptyAfterClear) {
  Secret secret("passphrase");
  secret.clear();
  EXPECT_TRUE(secret.empty());
  secret.append("again");
  EXPECT_EQ(shown(secret), "again");
}

TEST(Secret, ClonesIntoMemoryOfItsOwn) {
  Secret secret("passphrase");
  const Secret copy = secret.clone();
  secret.writable()[0] = 'X';
  EXPECT_EQ(shown(copy), "passphrase");
}

TEST(ConstantTimeEqual, ComparesContentAndLength) {
  EXPECT_TRUE(constant_time_equal(Secret("abc"), Secret("abc")));
  EXPECT_FALSE(constant_time_equal(Secret("abc"), Secret("abd")));
  EXPECT_FALSE(constant_time_equal(Secret("abc"), Secret("ab")));
  EXPECT_FALSE(constant_time_equal(Secret("abc"), Secret()));
  EXPECT_TRUE(constant_time_equal(Secret(), Secret()));
}

}  // namespace
}  // namespace meshtrust::base
