require 'json'
require 'net/http'
require 'openssl'
require_relative '../../../lib/community/app_handler'

# The model is read from the disk before the appliance says that it is ready.
READY_TIMEOUT = 1800

describe 'slm-copilot' do
    include_context('vm_handler')

    # The certificate authority and the password are those of this machine alone. The
    # password stands in no command, which would be logged.
    def get(path, user = nil, password = nil)
        ca = @info[:vm].ssh('cat /etc/slm-copilot/tls/ca.pem')
        ca.expect_success
        store = OpenSSL::X509::Store.new
        store.add_cert(OpenSSL::X509::Certificate.new(ca.stdout))
        request = Net::HTTP::Get.new(path)
        request.basic_auth(user, password) if user
        options = { :use_ssl => true, :cert_store => store, :open_timeout => 30, :read_timeout => 60 }
        Net::HTTP.start(@info[:vm].ip, 443, nil, **options) {|http| http.request(request) }
    end

    it 'becomes ready' do
        deadline = Time.now + READY_TIMEOUT
        loop do
            status = @info[:vm].ssh('cat /etc/one-appliance/status').stdout.to_s.strip
            break if status == 'bootstrap_success'

            if ['configure_failure', 'bootstrap_failure'].include?(status)
                raise "it ended in #{status}: see /usr/sbin/slm-copilot status inside the machine"
            end
            raise "still #{status.inspect} after #{READY_TIMEOUT} seconds" if Time.now > deadline

            sleep 5
        end
    end

    it 'says so at the login' do
        motd = @info[:vm].ssh('cat /etc/motd')
        motd.expect_success
        expect(motd.stdout).to include('All set and ready to serve')
    end

    it 'answers /health without a password' do
        expect(get('/health').code).to eq('200')
    end

    it 'asks for the password everywhere else' do
        expect(get('/v1/models').code).to eq('401')
        expect(get('/v1/models', 'copilot', 'not the password').code).to eq('401')
    end

    it 'lists its model to who has the password' do
        password = @info[:vm].ssh('cat /var/lib/slm-copilot/password')
        password.expect_success
        answer = get('/v1/models', 'copilot', password.stdout.chomp)
        expect(answer.code).to eq('200')
        expect(JSON.parse(answer.body)['data'].map {|model| model['id'] }).not_to be_empty
    end
end
