// Three tables' worth of vocabulary_pruning.json: sizes and text, kinds, what went.
#include "cli/vocabulary_section.h"

#include "cli/format.h"
#include "cli/model_size.h"
#include "cli/svg.h"
#include "cli/terminal.h"

namespace ink::cli {
namespace {

struct Change {
  int64_t before, after;
};

Change change_of(const Json& account, const char* key) {
  const Json& both = account.object(key);
  return {both.integer("before"), both.integer("after")};
}

std::string count_row(const char* what, const Change& c) {
  return formatted("<tr><td>%s</td><td>%ld</td><td>%ld</td><td>%.1f %%</td></tr>\n", what,
                   static_cast<long>(c.before), static_cast<long>(c.after),
                   percent(c.after, c.before));
}

// What the text is cut into, and how much of it is unknown.
std::string text_rows(const Json& text) {
  const Change tokens = change_of(text, "tokens"), unknown = change_of(text, "unknown");
  return count_row("tokens of the text", tokens) +
         formatted("<tr><td>unknown</td><td>%.3f %%</td><td>%.3f %%</td><td></td></tr>\n",
                   percent(unknown.before, tokens.before), percent(unknown.after, tokens.after));
}

std::string sizes(const Json& account) {
  const Change parameters = change_of(account, "parameters");
  std::string html = "<table>\n<tr><th></th><th>before</th><th>after</th><th>kept</th></tr>\n" +
                     count_row("tokens", change_of(account, "tokens")) +
                     count_row("rows of embeddings", change_of(account, "rows")) +
                     count_row("parameters", parameters) +
                     formatted("<tr><td>MB</td><td>%.2f</td><td>%.2f</td><td></td></tr>\n",
                               megabytes(parameters.before), megabytes(parameters.after));
  if (account.has("text")) html += text_rows(account.object("text"));
  return html + "</table>\n";
}

std::string coverage(const Json& account) {
  std::string html =
      formatted("<p>Coverage: %.4f %% of %ld counted tokens stay.", 100 * account.real("coverage"),
                static_cast<long>(account.integer("occurrences")));
  if (account.has("text")) {
    const Json& text = account.object("text");
    html += formatted(" %ld of %ld lines of the text are cut otherwise than before.",
                      static_cast<long>(text.integer("lines_cut_otherwise")),
                      static_cast<long>(text.integer("lines")));
  }
  return html + "</p>\n";
}

std::string kinds(const Json& account) {
  std::string html = "<table>\n<tr><th>tokens</th><th>kept</th><th>dropped</th></tr>\n";
  for (const auto& [kind, counts] : account.object("kinds").members()) {
    const int64_t kept = counts.integer("kept"), dropped = counts.integer("dropped");
    if (kept + dropped > 0)
      html += formatted("<tr><td>%s</td><td>%ld</td><td>%ld</td></tr>\n", escape_html(kind).c_str(),
                        static_cast<long>(kept), static_cast<long>(dropped));
  }
  return html + "</table>\n";
}

std::string most_frequent_dropped(const Json& account) {
  const Json& dropped = account.array("most_frequent_dropped");
  if (dropped.size() == 0) return "<p>No token that was counted went.</p>\n";
  std::string html = "<p>The most frequent that went:";
  for (size_t i = 0; i < dropped.size(); ++i) {
    const Json& token = dropped.array(i);
    html += ' ' + escape_html(printable(token.string(0))) +
            formatted(" (%ld)", static_cast<long>(token.integer(1)));
  }
  return html + "</p>\n";
}

}  // namespace

std::string vocabulary_section(const Json& account) {
  return "<h2>Vocabulary</h2>\n" + sizes(account) + coverage(account) + kinds(account) +
         most_frequent_dropped(account);
}

}  // namespace ink::cli
