#include "ledger/ledger.h"

#include "base/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace meshtrust::ledger {

using base::Code;
using base::fail;
using base::Status;

std::int64_t Ledger::signed_lines() const {
  std::int64_t most = 0;
  for (const auto& [authority, lines] : signed_by_) {
    most = std::max(most, lines);
  }
  return most;
}

void Ledger::note_signed(const std::string& authority) {
  signed_by_[authority] = static_cast<std::int64_t>(records_.size());
}

Status Ledger::may_append(const Event& event) const {
  if (std::holds_alternative<StoreCreated>(event) != records_.empty()) {
    return fail(Code::kConflict,
                "a ledger begins with the creation of its store, and only begins so");
  }
  return std::visit(
      Overloaded{[this](const KeyPlanned& one) { return may_plan(one.key, true); },
                 [this](const KeyDiscarded& one) { return may_plan(one.key, false); },
                 [this](const Requested& one) { return may_request(one.key, true); },
                 [this](const RequestClosed& one) { return may_request(one.key, false); },
                 [&](const auto& /*one*/) { return hierarchy_.may_follow(event); }},
      event);
}

Status Ledger::may_plan(const std::string& key, bool plans) const {
  const bool planned = std::ranges::find(planned_keys_, key) != planned_keys_.end();
  if (planned != plans) return {};
  return fail(Code::kConflict, plans ? fmt::format("key '{}' is planned already", key)
                                     : fmt::format("key '{}' was never planned", key));
}

Status Ledger::may_request(const std::string& key, bool opens) const {
  const bool waits =
      std::ranges::find(requests_, key, &PendingRequest::key_name) != requests_.end();
  if (waits != opens) return {};
  return fail(Code::kConflict, fmt::format("the request of key '{}' is {}", key,
                                           waits ? "recorded already" : "not open"));
}

void Ledger::append(Record record, std::string digest) {
  MESHTRUST_CHECK(record.sequence == static_cast<std::int64_t>(records_.size()) + 1);
  hierarchy_.take(record.event, record.at);
  const auto no_longer_planned = [this](const std::string& key) { std::erase(planned_keys_, key); };
  std::visit(
      Overloaded{[&](const KeyPlanned& one) { planned_keys_.push_back(one.key); },
                 [&](const KeyDiscarded& one) { no_longer_planned(one.key); },
                 [&](const RootMinted& one) { no_longer_planned(key_name(one.certificate)); },
                 [&](const NextRootMinted& one) { no_longer_planned(key_name(one.certificate)); },
                 [&](const Requested& one) {
                   requests_.push_back({.key_name = one.key,
                                        .cluster = one.cluster,
                                        .since = record.at,
                                        .file_digest = one.key_digest});
                 },
                 [&](const RequestClosed& one) {
                   std::erase_if(requests_,
                                 [&](const auto& each) { return each.key_name == one.key; });
                 },
                 [](const auto& /*the hierarchy's*/) {}},
      record.event);
  head_ = std::move(digest);
  records_.push_back(std::move(record));
}

}  // namespace meshtrust::ledger
