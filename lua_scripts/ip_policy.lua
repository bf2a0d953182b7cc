-- Purpose: from where anybody may log in; the first link of a chain, which goes on with the next one or ends the login.
--
-- Functions
--   script_init(settings)       takes the settings below. Returns 0; fails when both are missing or one is malformed.
--   auth_passdb_lookup(request) request.remote_ip. Returns PASSDB_RESULT_NEXT, PASSDB_RESULT_USER_DISABLED, which no
--                                 later link can overrule, or PASSDB_RESULT_INTERNAL_FAILURE; and a text for the log.
--
-- Settings; Dovecot 2.3 passes none, there they are written into the table below. Networks such as `192.0.2.0/24`,
-- `2001:db8::/32` or `192.0.2.7`, separated by spaces or commas; `local` stands for logins without an IP.
--   deny   nobody logs in from here
--   allow  if it is not empty: nobody logs in from elsewhere
--
-- For networks of single users return the field allow_nets with their passwords instead: passwd_file.lua can.

local settings = { deny = "", allow = "" }

-- Arrays of { words, bit count }; the word `local` in an array is itself.
local denied, allowed

-- "a.b.c.d" -> { a * 256 + b, c * 256 + d }; nil if it is none.
local function ipv4_words(text)
   local bytes = { text:match("^(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)%.(%d%d?%d?)$") }
   for i = 1, #bytes do
      bytes[i] = tonumber(bytes[i])
      if bytes[i] > 255 then
         return nil
      end
   end
   return bytes[1] and { bytes[1] * 256 + bytes[2], bytes[3] * 256 + bytes[4] }
end

-- "1:2::3" -> array of words without the gap; nil if one is malformed.
local function hex_words(text)
   local words = {}
   for part in (text == "" and "" or text .. ":"):gmatch("([^:]*):") do
      if not part:find("^%x%x?%x?%x?$") then
         return nil
      end
      words[#words + 1] = tonumber(part, 16)
   end
   return words
end

-- "2001:db8::1" -> its eight words; nil if it is none.
local function ipv6_words(text)
   -- An IPv4 address at the end stands for two words.
   local head, tail = text:match("^(.*:)(%d+%.[%d.]+)$")
   if head then
      local words = ipv4_words(tail)
      text = words and ("%s%x:%x"):format(head, words[1], words[2]) or ""
   end
   local left_text, right_text = text:match("^(.-)::(.*)$")
   local left = hex_words(left_text or text)
   local right = hex_words(right_text or "")
   if not left or not right or (left_text and #left + #right > 7) or (not left_text and #left ~= 8) then
      return nil
   end
   for _ = 1, 8 - #left - #right do
      left[#left + 1] = 0
   end
   for _, word in ipairs(right) do
      left[#left + 1] = word
   end
   return left
end

-- Returns two words for an IPv4 address, eight for an IPv6 one, nil for anything else.
local function ip_words(text)
   local words = ipv4_words(text) or ipv6_words(text)
   if words and #words == 8 and words[6] == 65535 and words[1] + words[2] + words[3] + words[4] + words[5] == 0 then
      -- An IPv4 address that came in through an IPv6 socket (::ffff:a.b.c.d).
      return { words[7], words[8] }
   end
   return words
end

local function networks_of(name)
   local networks = {}
   for item in settings[name]:gmatch("[^%s,]+") do
      local ip, bits = item:match("^([^/]+)/?(%d*)$")
      local words = ip and ip_words(ip)
      local count = words and (tonumber(bits) or #words * 16)
      if item ~= "local" and not (words and count <= #words * 16 and (bits ~= "" or not item:find("/", 1, true))) then
         error(("the setting `%s` holds `%s`, which is no network"):format(name, item), 0)
      end
      networks[#networks + 1] = words and { words = words, bit_count = count } or item
   end
   return networks
end

local function is_in(words, network)
   if #words ~= #network.words then
      return false
   end
   for i = 1, #words do
      -- Bits of this word that the network does not say anything about.
      local free_count = math.max(0, 16 - math.max(0, network.bit_count - (i - 1) * 16))
      if math.floor(words[i] / 2 ^ free_count) ~= math.floor(network.words[i] / 2 ^ free_count) then
         return false
      end
   end
   return true
end

-- Is the address, or nil for none, in one of the networks?
local function is_listed(words, networks)
   for _, network in ipairs(networks) do
      if network == "local" then
         if not words then
            return true
         end
      elseif words and is_in(words, network) then
         return true
      end
   end
   return false
end

function script_init(given)
   for name, value in pairs(given or {}) do
      if not settings[name] then
         error(("unknown setting `%s`"):format(name), 0)
      end
      settings[name] = value
   end
   if settings.deny == "" and settings.allow == "" then
      error("the settings `deny` and `allow` are missing: at least one list of networks", 0)
   end
   denied, allowed = networks_of("deny"), networks_of("allow")
   return 0
end

function auth_passdb_lookup(request)
   local ip = request.remote_ip
   -- A link-local address names its interface after a `%`.
   local words = ip and ip ~= "" and ip_words(ip:match("^[^%%]*")) or nil
   if ip and ip ~= "" and not words then
      return dovecot.auth.PASSDB_RESULT_INTERNAL_FAILURE, "the client's IP is malformed"
   elseif is_listed(words, denied) then
      return dovecot.auth.PASSDB_RESULT_USER_DISABLED, "logins from this network are denied"
   elseif #allowed > 0 and not is_listed(words, allowed) then
      return dovecot.auth.PASSDB_RESULT_USER_DISABLED, "logins are allowed from other networks only"
   end
   -- In 2.3 the string is a list of fields, here an empty one; nil would be an error there.
   return dovecot.auth.PASSDB_RESULT_NEXT, ""
end
