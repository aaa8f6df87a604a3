# Associative arrays and string building: how often words and pairs of words occur.
NR > 20000 { exit }
{
  line = ""
  for (i = 1; i <= NF; ++i) {
    ++count[$i]
    if (i > 1) ++pairs[$(i - 1), $i]
    line = line " " toupper(substr($i, 1, 1)) substr($i, 2)
  }
  lines[NR % 10000] = line
}
END {
  for (pair in pairs) if (pairs[pair] > most) most = pairs[pair]
  for (n in lines) bytes += length(lines[n])
  print length(count), length(pairs), most, bytes
}
