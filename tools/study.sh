#!/bin/sh
# Pre-training objectives compared: makes what the studies of examples/studies read, in study/, then runs those that are named.
#
#   tools/study.sh                        only makes study/, in a minute
#   tools/study.sh objectives mlm perlm   and runs examples/studies/objectives.json, mlm.json and perlm.json, one after the other
#   INK_DATA=FOLDER tools/study.sh …      FOLDER/text holds laws.txt (LawRefBook/Laws), tech-docs.txt (pingcap/docs-cn) and
#                                         essays.txt (Lu Xun), a paragraph a line and a blank line between documents;
#                                         ../shared/data without it
#
# `make demo` comes first: its paragraphs of LibreOffice's help are one task, its text is read in pre-training, its words too.
# Of ten statutes one is read in pre-training and two are for word order alone. The essays only help to choose the vocabulary.
set -eu
cd "$(dirname "$0")/.."

ink=build/inkstone
texts=${INK_DATA:-../shared/data}/text
out=study

for file in "$texts/laws.txt" "$texts/tech-docs.txt" "$texts/essays.txt" demo/text/text.txt demo/text/train.tsv demo/words.txt; do
  [ -f "$file" ] || { echo "study: expected a file $file; run make demo, or name the folder of data in INK_DATA" >&2; exit 1; }
done

# The statutes whose number n satisfies a condition.
statutes() { awk 'BEGIN { RS = ""; ORS = "\n\n" } { n = NR } '"$1" "$texts/laws.txt"; }

sizes='"intermediate_size": 256, "max_position_embeddings": 128, "hidden_dropout_prob": 0, "attention_probs_dropout_prob": 0'
two_layers='"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "initializer_range": 0.05'

if [ ! -d "$out/text" ]; then
  rm -rf "$out/partial" && mkdir -p "$out/partial"
  statutes 'n % 10 == 0 || n % 10 == 9' >"$out/order.txt"
  statutes 'n % 10 == 1' >"$out/partial/laws.txt"
  cp demo/text/text.txt "$out/partial/help.txt"
  cp "$texts/tech-docs.txt" "$out/partial"
  $ink dictionary --words demo/words.txt --text "$out/partial" --out "$out/words.txt"
  $ink vocab --text "$out/partial" "$texts/essays.txt" --size 4000 --out "$out/vocab.txt"
  $ink vectors --text "$out/partial" --dictionary "$out/words.txt" --out "$out/vectors.txt" --neighbours "$out/similar.txt"
  echo "{$two_layers, $sizes}" >"$out/bert.json"
  echo "{\"model_type\": \"electra\", \"embedding_size\": 128, $two_layers, $sizes}" >"$out/electra.json"
  echo '{"model_type": "xlnet", "d_model": 128, "n_layer": 2, "n_head": 4, "d_inner": 256, "dropout": 0,
    "initializer_range": 0.05}' >"$out/xlnet.json"
  mv "$out/partial" "$out/text"
fi

for name; do $ink study "examples/studies/$name.json"; done
