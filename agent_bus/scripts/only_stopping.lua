-- For report_halt.lua: goes on only where a stop waits for the session's run, be it confirmed or not.
--
-- KEYS[4] session   its hash
if redis.call('HEXISTS', KEYS[4], 'stop_id') == 0 then return { 'refused', '' } end
