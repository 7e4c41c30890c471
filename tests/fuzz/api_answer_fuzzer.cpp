// Answers come from servers, and from whatever stands in front of them. Whatever one holds: no
// crash, an error that a terminal can show, and lines that do not depend on how they were cut.

#include "base/check.h"
#include "base/clock.h"
#include "base/secret.h"
#include "k8s/answer.h"
#include "k8s/line_splitter.h"
#include "k8s/request_headers.h"
#include "k8s/retry.h"
#include "k8s/secret_cutter.h"
#include "k8s/secret_object.h"
#include "k8s/status.h"
#include "k8s/watch.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace {

using meshtrust::base::Error;
using meshtrust::base::Secret;
using namespace meshtrust::k8s;

void check_printable(const Error& error) {
  MESHTRUST_CHECK(!error.message.empty());
  const auto control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
  MESHTRUST_CHECK(std::none_of(error.message.begin(), error.message.end(), control));
}

void check_status(std::string_view text) {
  const ObjectRef ref = secret_ref("istio-system", "cacerts");
  for (const int status : {200, 302, 400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 503}) {
    const Reply reply{.status = status, .content_type = "text/html", .body = std::string(text)};
    const ServerStatus read = read_status(reply);
    MESHTRUST_CHECK(!read.retry_after || read.retry_after->count() > 0);
    (void)what_is_missing(read, reply, ref);
    check_printable(error_from_reply(reply, "doing it"));
    if (const auto answer = parse_answer(reply, "doing it"); !answer) {
      check_printable(answer.error());
    }
  }
}

std::vector<std::string> lines_of(std::string_view text, std::size_t piece) {
  std::vector<std::string> lines;
  LineSplitter splitter(text.size() + 1, [&](std::string_view line) {
    lines.emplace_back(line);
    return true;
  });
  for (; !text.empty(); text.remove_prefix(std::min(piece, text.size()))) {
    MESHTRUST_CHECK(splitter.take(text.substr(0, piece)));
  }
  return lines;
}

void check_watch(std::string_view text) {
  const auto whole = lines_of(text, text.size() + 1);
  for (const std::size_t piece : {1U, 2U, 7U}) {
    MESHTRUST_CHECK(lines_of(text, piece) == whole);
  }
  for (const std::string& line : whole) {
    if (const auto event = parse_watch_event(line); !event) check_printable(event.error());
  }
}

void check_secrets(std::string_view text) {
  if (const auto secret = parse_secret(Secret(text)); !secret) check_printable(secret.error());
  Secret answer(text);
  if (const auto token = cut_token(answer); !token) check_printable(token.error());
}

void check_headers(std::string_view text) {
  const std::string line(text.substr(0, text.find('\0')));
  (void)warning_text(line);
  const auto wait = parse_retry_after(line, line, meshtrust::base::Instant());
  MESHTRUST_CHECK(!wait || wait->count() >= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): libFuzzer's interface
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_status(text);
  check_watch(text);
  check_secrets(text);
  check_headers(text);
  return 0;
}
