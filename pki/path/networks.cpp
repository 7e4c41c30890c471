#include "pki/path/networks.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

constexpr std::size_t kShort = 4;
constexpr std::size_t kLong = 16;
/// What stands before an IPv4 address that is written as one of IPv6.
constexpr std::string_view kMapped("\0\0\0\0\0\0\0\0\0\0\xff\xff", 12);

unsigned octet_at(std::string_view octets, std::size_t i) {
  return static_cast<unsigned char>(octets[i]);
}

/// RFC 4632: ones, then zeros. Nothing but ones so far when `is_over` is false.
bool continues_mask(unsigned octet, bool is_over) {
  const unsigned zeros = ~octet & 0xffU;
  return is_over ? octet == 0 : (zeros & (zeros + 1)) == 0;
}

bool is_mask(std::string_view mask) {
  bool is_over = false;
  for (std::size_t i = 0; i < mask.size(); ++i) {
    if (!continues_mask(octet_at(mask, i), is_over)) return false;
    is_over = is_over || octet_at(mask, i) != 0xff;
  }
  return true;
}

std::string masked(std::string_view octets, std::string_view mask) {
  std::string out(octets);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(octet_at(octets, i) & octet_at(mask, i));
  }
  return out;
}

/// The last address of a network.
std::string last_of(std::string_view address, std::string_view mask) {
  std::string out(address);
  for (std::size_t i = 0; i < out.size(); ++i) {
    out[i] = static_cast<char>(octet_at(address, i) | (~octet_at(mask, i) & 0xffU));
  }
  return out;
}

}  // namespace

bool Networks::add(const std::string& octets) {
  const std::size_t half = octets.size() / 2;
  if (octets.size() != 2 * kShort && octets.size() != 2 * kLong) return false;
  Network network{.address = octets.substr(0, half), .mask = octets.substr(half)};
  if (search_ != NetworkSearch::kInTurn && !is_mask(network.mask)) return false;
  if (search_ == NetworkSearch::kByMask) {
    masks_.insert(network.mask);
    network.address = masked(network.address, network.mask);
    by_mask_.insert(std::move(network));
  } else {
    ordered_.push_back(std::move(network));
  }
  return true;
}

/// Go's net.IPNet.Contains, to which a mapped address is one of IPv4.
bool Networks::covers(const Network& network, std::string_view address) {
  std::string_view base = network.address;
  std::string_view mask = network.mask;
  if (base.starts_with(kMapped)) {
    base.remove_prefix(kMapped.size());
    mask.remove_prefix(kMapped.size());
  }
  if (address.starts_with(kMapped)) address.remove_prefix(kMapped.size());
  return base.size() == address.size() && masked(base, mask) == masked(address, mask);
}

void Networks::finish() {
  if (search_ != NetworkSearch::kSorted) return;
  std::ranges::sort(ordered_, [](const Network& a, const Network& b) {
    return a.address.size() == b.address.size() ? a < b : a.address.size() < b.address.size();
  });
  const auto holds = [](const Network& a, const Network& b) {
    return a.address.size() == b.address.size() && covers(a, b.address) &&
           covers(a, last_of(b.address, b.mask));
  };
  ordered_.erase(std::unique(ordered_.begin(), ordered_.end(), holds), ordered_.end());
}

bool Networks::contain_by_mask(std::string_view address) const {
  return std::ranges::any_of(masks_, [&](const std::string& mask) {
    return mask.size() == address.size() &&
           by_mask_.contains({.address = masked(address, mask), .mask = mask});
  });
}

bool Networks::contain_sorted(std::string_view address) const {
  const auto is_of_kind = [&](const Network& one) { return one.address.size() == address.size(); };
  const auto begin = std::ranges::find_if(ordered_, is_of_kind);
  const auto end = std::find_if_not(begin, ordered_.end(), is_of_kind);
  if (begin == end) return false;
  const auto found = std::lower_bound(
      begin, end, address, [](const Network& a, std::string_view b) { return a.address < b; });
  if (found != end && found->address == address) return true;
  return covers(found == begin ? *found : *(found - 1), address);
}

std::optional<bool> Networks::contain_in_turn(std::string_view address) const {
  bool is_in_one = false;
  for (const Network& network : ordered_) {
    if (network.address.size() != address.size()) continue;
    bool is_over = false;
    bool is_in = true;
    for (std::size_t i = 0; i < address.size() && is_in; ++i) {
      const unsigned mask = octet_at(network.mask, i);
      if (!continues_mask(mask, is_over)) return std::nullopt;
      is_over = is_over || mask != 0xff;
      is_in = ((octet_at(address, i) ^ octet_at(network.address, i)) & mask) == 0;
    }
    is_in_one = is_in_one || is_in;
  }
  return is_in_one;
}

std::optional<bool> Networks::contain(std::string_view address) const {
  switch (search_) {
    case NetworkSearch::kSorted:
      return contain_sorted(address);
    case NetworkSearch::kInTurn:
      return contain_in_turn(address);
    default:
      return contain_by_mask(address);
  }
}

}  // namespace meshtrust::pki
