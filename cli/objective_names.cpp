// Declaring and reading the options of an objective.
#include "cli/objective_names.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cli/values.h"
#include "objectives/load_similar_words.h"

namespace ink::cli {
namespace {

// Which objectives an option is about: "" where it is about none.
bool uses(const std::string& option, const Objective& o) {
  const bool masks = o.task == TokenTask::masked || o.task == TokenTask::rtd;
  if (option == "--mask-share" || option == "--keep-share") return masks;
  if (option == "--ngram") return o.select.ngrams.size() > 1;
  if (option == "--replace" || option == "--similar" || option == "--nearest" ||
      option == "--fallback-share")
    return o.task == TokenTask::mac;
  if (option == "--generator-size" || option == "--replaced-weight")
    return o.task == TokenTask::rtd;
  if (option == "--scale") return o.task == TokenTask::perlm;
  return o.task == TokenTask::perlm;  // the rest
}

void check_used(const ObjectiveOptions& options, const Objective& o, const Command& command) {
  for (const char* option :
       {"--mask-share", "--keep-share", "--ngram", "--replace", "--similar", "--nearest",
        "--fallback-share", "--generator-size", "--replaced-weight", "--pert-label",
        "--granularity", "--predict", "--space", "--scale"}) {
    if (command.given(option) && !uses(option, o))
      throw UsageError(std::string(option) + ": says nothing about --objective " +
                       options.objective);
  }
}

std::vector<double> shares_from(const std::string& list) {
  if (list.ends_with(',')) throw UsageError("--ngram: expected a share behind the last comma");
  std::vector<double> shares;
  std::istringstream words(list);
  for (std::string word; std::getline(words, word, ',');)
    shares.push_back(real_from(word, kShare, "--ngram"));
  return shares;
}

// MacBERT's ablations keep its selection and mask, or replace at random (Cui et al. 2021, VII-B).
void replace_otherwise(const std::string& how, Objective& o) {
  if (how == "similar") return;
  o.task = TokenTask::masked;
  o.mask_share = how == "partial" ? 0.8 : how == "mask" ? 0.9 : 0;
  o.keep_share = 0.1;
}

template <class T>
T named(const std::string& name, const std::vector<std::string>& names) {
  return static_cast<T>(std::ranges::find(names, name) - names.begin());
}

const std::vector<std::string> kLabels{"inverse", "forward"},
    kGranularities{"no-limit", "word", "ngram", "sentence"}, kPredicts{"partial", "full"},
    kSpaces{"local", "global", "both"};

}  // namespace

void declare_objective(Command& command, ObjectiveOptions& o) {
  Objective& v = o.values;
  command.text("--objective", o.objective,
               "a list: of mlm, wwm, ngram (which tokens), mac, perlm, rtd, plm (what becomes of "
               "them), nsp, sop, pair (two texts), such as wwm,nsp or mac,sop");
  command.section("Objective");
  command.option("--mask-fraction", v.select.fraction,
                 "share of the tokens that are selected; a sixth with plm", kShare);
  command.option("--max-predictions", v.select.max_predictions,
                 "of them in a sequence; 0 = as --mask-fraction says");
  command.option("--mask-share", v.mask_share,
                 "of the selected, the share that becomes [MASK]; 0.85 with rtd", kShare);
  command.option("--keep-share", v.keep_share,
                 "the share that stays, the rest is random; 0.15 with rtd", kShare);
  command.text("--ngram", o.ngram, "ngram, mac, perlm: shares of 1, 2, … words");
  command.choice("--replace", o.replace, {"similar", "random", "partial", "mask"},
                 "mac: by similar words, or its ablations: 90 % random, 80 % [MASK] and 10 % "
                 "random, 90 % [MASK]");
  command.list("--similar", o.similar,
               "mac: files of similar words, the first counts most: neighbours or vectors of "
               "'inkstone vectors', word2vec's vectors, or synonyms in Cilin's format");
  command.option("--nearest", v.nearest,
                 "mac: draw from so many of the most similar words, as far as there are",
                 kOneOrMore);
  command.option("--fallback-share", v.fallback_share,
                 "mac: of the selected tokens, the share that may be random for want of a similar "
                 "word",
                 kShare);
  command.choice("--pert-label", o.pert_label, kLabels,
                 "perlm: where the token of this place is now, or where the one here is from");
  command.choice("--granularity", o.granularity, kGranularities,
                 "perlm: tokens change places inside these");
  command.choice("--predict", o.predict, kPredicts, "perlm: the selected tokens, or all");
  command.choice("--space", o.space, kSpaces, "perlm: positions, the vocabulary, or both");
  command.option("--scale", o.scale,
                 "perlm: of products of states; 0 = 1/√(hidden size); kept with the model");
  command.option("--generator-size", v.generator_size, "rtd: of the hidden size",
                 {.high = 1, .without_low = true});
  command.option("--replaced-weight", v.replaced_weight, "rtd: of the discriminator's loss");
}

Objective objective_of(const ObjectiveOptions& options, const Command& command) {
  Objective o = as_usage([&] { return objective_from(options.objective); });
  check_used(options, o, command);
  const Objective& v = options.values;
  if (command.given("--mask-fraction")) o.select.fraction = v.select.fraction;
  if (command.given("--mask-share")) o.mask_share = v.mask_share;
  if (command.given("--keep-share")) o.keep_share = v.keep_share;
  o.select.max_predictions = v.select.max_predictions;
  if (o.select.ngrams.size() > 1) o.select.ngrams = shares_from(options.ngram);
  o.nearest = v.nearest;
  o.fallback_share = v.fallback_share;
  o.label = named<PertLabel>(options.pert_label, kLabels);
  o.granularity = named<Granularity>(options.granularity, kGranularities);
  o.predict = named<Predict>(options.predict, kPredicts);
  o.space = named<Space>(options.space, kSpaces);
  if (command.given("--scale")) o.scale = options.scale;
  o.generator_size = v.generator_size;
  o.replaced_weight = v.replaced_weight;
  if (o.task == TokenTask::perlm && o.space == Space::global) {
    for (const char* option : {"--pert-label", "--scale"})
      if (command.given(option))
        throw UsageError(std::string(option) +
                         ": says nothing about --space global, which predicts no positions");
  }
  if (o.task == TokenTask::mac) {
    replace_otherwise(options.replace, o);
    if (o.task == TokenTask::mac && options.similar.empty())
      throw UsageError(
          "--objective mac: expected similar words in --similar FILE, or another --replace");
    for (const char* option : {"--similar", "--nearest", "--fallback-share"})
      if (o.task != TokenTask::mac && command.given(option))
        throw UsageError("--replace " + options.replace + " looks at no similar words; leave out " +
                         option);
  }
  return o;
}

SimilarWords similar_words_of(const ObjectiveOptions& options, const Tokenizer& tokenizer) {
  return load_similar_words({options.similar.begin(), options.similar.end()}, tokenizer,
                            std::max(kSimilarWords, options.values.nearest));
}

std::optional<Segmenter> segmenter_for(const Objective& objective, const std::string& dictionary) {
  if (!objective.select.whole_words) {
    check(dictionary.empty() || std::filesystem::exists(dictionary),
          "--dictionary: expected a file at ", dictionary,
          ", got nothing of that name; single tokens need no dictionary");
    return std::nullopt;
  }
  try {
    return Segmenter::load({.dictionary = dictionary});
  } catch (const Error& error) {
    if (!dictionary.empty()) throw;
    fail("", error.message(), "; --objective mlm needs none");
  }
}

}  // namespace ink::cli
