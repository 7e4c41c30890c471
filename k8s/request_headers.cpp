#include "k8s/request_headers.h"

#include "base/text.h"

#include <algorithm>

namespace meshtrust::k8s {
namespace {

bool is_token_character(char c) {
  constexpr std::string_view kMarks = "!#$&'*+-.^_`|~";
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         kMarks.find(c) != std::string_view::npos;
}

class Lines {
 public:
  void add(std::string_view name, std::string_view value) {
    base::Secret line;
    line.reserve(name.size() + value.size() + 3);
    line.append(name);
    // libcurl takes "Name:" for "do not send this"; an empty value is asked for by a semicolon.
    line.append(value.empty() ? ";" : ": ");
    line.append(value);
    line.append(std::string_view("\0", 1));
    lines_.push_back(std::move(line));
  }

  std::vector<base::Secret> take() { return std::move(lines_); }

 private:
  std::vector<base::Secret> lines_;
};

void add_impersonation(Lines& lines, const Impersonation& who) {
  lines.add("Impersonate-User", who.user);
  if (!who.uid.empty()) lines.add("Impersonate-Uid", who.uid);
  for (const std::string& group : who.groups) {
    lines.add("Impersonate-Group", group);
  }
  for (const auto& [key, values] : who.extra) {
    for (const std::string& value : values) {
      lines.add("Impersonate-Extra-" + encode_extra_key(key), value);
    }
  }
}

/// RFC 6455 section 4.1.
void add_upgrade(Lines& lines, const WebSocketUpgrade& upgrade) {
  lines.add("Upgrade", "websocket");
  lines.add("Connection", "Upgrade");
  lines.add("Sec-WebSocket-Version", "13");
  lines.add("Sec-WebSocket-Key", upgrade.nonce);
  lines.add("Sec-WebSocket-Protocol", upgrade.subprotocol);
}

}  // namespace

bool is_header_value(std::string_view value) {
  return std::none_of(value.begin(), value.end(),
                      [](char c) { return (c >= 0 && c < ' ' && c != '\t') || c == '\x7f'; });
}

std::string encode_extra_key(std::string_view key) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (const char c : key) {
    if (is_token_character(c)) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xFU];
  }
  return out;
}

std::vector<base::Secret> request_headers(const ClientSettings& settings, const Request& request) {
  Lines lines;
  lines.add("Accept", request.accept);
  if (!request.content_type.empty()) lines.add("Content-Type", request.content_type);
  if (request.authorization != nullptr) {
    lines.add("Authorization", reveal(*request.authorization, "Authorization header"));
  }
  if (settings.impersonation) add_impersonation(lines, *settings.impersonation);
  // Said here because the URL that libcurl sees may name the server otherwise ('tls-server-name').
  const std::string authority = settings.server.authority();
  const bool standard = settings.server.port == "443";
  lines.add("Host", standard ? authority.substr(0, authority.size() - 4) : authority);
  if (request.web_socket) add_upgrade(lines, *request.web_socket);
  return lines.take();
}

std::optional<std::string> warning_text(std::string_view header) {
  if (!header.starts_with("299 ")) return std::nullopt;
  const std::size_t open = header.find('"');
  if (open == std::string_view::npos) return std::nullopt;
  std::string text;
  for (std::size_t i = open + 1; i < header.size(); ++i) {
    if (header[i] == '"') return base::printable(text);
    if (header[i] == '\\' && ++i == header.size()) break;
    text += header[i];
  }
  return std::nullopt;
}

}  // namespace meshtrust::k8s
